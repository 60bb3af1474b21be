"""What is said over HTTP of a cartridge that will not do: everything at its own place, in an answer of bounded size."""

from __future__ import annotations

import secrets
from typing import Any

import httpx
import pytest

from tests.knowledge.personas.support import cartridge
from tests.surfaces import clients

acme, globex = clients.acme, clients.globex


@pytest.fixture
def slug() -> str:
    return f"f-{secrets.token_hex(4)}"


def test_lint__of_a_document_beyond_all_bounds__is_one_finding(acme: httpx.Client, slug: str) -> None:
    raw = cartridge(slug)
    raw["behavior"]["do"] = [1] * 400_000
    answer = acme.post("/v1/personas/lint", json={"cartridge": raw})
    assert (answer.status_code, len(answer.content) < 1_000) == (200, True)
    found = answer.json()
    assert [(one["pointer"], one["rule"]) for one in found["findings"]] == [("#/cartridge", "document-size")]
    assert (found["publishable"], found["errors"], found["more_findings"]) == (False, 1, 0)
    refused = acme.post("/v1/personas", json={"cartridge": raw})
    assert [one["code"] for one in refused.json()["errors"]] == ["document-size"]
    assert acme.get(f"/v1/personas/{slug}").status_code == 404


def test_findings__very_many__are_cut_and_counted_everywhere(
    acme: httpx.Client, globex: httpx.Client, slug: str
) -> None:
    raw = cartridge(slug)
    raw["behavior"]["do"] = [1] * 5_000
    for client in (acme, globex):
        found = client.post("/v1/personas/lint", json={"cartridge": raw}).json()
        assert (len(found["findings"]), found["more_findings"], found["errors"]) == (200, 4_802, 5_001)
        refused = client.post("/v1/personas", json={"cartridge": raw}).json()
        assert (refused["code"], len(refused["errors"]), refused["errors_total"]) == ("invalid_cartridge", 200, 5_001)
        for draft in (
            client.put(f"/v1/personas/{slug}/draft", json={"cartridge": raw}).json(),
            client.get(f"/v1/personas/{slug}/draft").json(),
        ):
            assert (draft["publishable"], len(draft["findings"]), draft["more_findings"]) == (False, 200, 4_802)
        assert client.post(f"/v1/personas/{slug}/publish", json={}).json()["errors_total"] == 5_001
        client.delete(f"/v1/personas/{slug}/draft").raise_for_status()
        assert client.get(f"/v1/personas/{slug}").status_code == 404


def test_version__with_many_warnings__tells_the_same_ones_whenever_it_is_read(acme: httpx.Client, slug: str) -> None:
    raw = cartridge(slug)
    raw["safetyRedirects"] = [{"pattern": "medical", "redirect": "Ask a doctor."}] * 400
    made = acme.post("/v1/personas", json={"cartridge": raw}).json()
    assert (len(made["warnings"]), made["more_warnings"]) == (200, 199)
    for path in ("", "/versions/1", "?version=1"):
        again = acme.get(f"/v1/personas/{slug}{path}").json()
        assert (again["warnings"], again["more_warnings"]) == (made["warnings"], 199)
    acme.delete(f"/v1/personas/{slug}")


def test_create__wrong_in_many_ways__is_told_of_each_at_its_own_place(
    acme: httpx.Client, globex: httpx.Client, slug: str
) -> None:
    raw: dict[str, Any] = {**cartridge(slug), "colour": "red", "shade": 1}
    del raw["style"]["emoji"], raw["meta"]
    raw["safetyRedirects"][0]["redirect"] = ""
    raw["behavior"]["do"][0] = "Write to ann@example.com"
    for client in (acme, globex):
        refused = client.post("/v1/personas", json={"cartridge": raw})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_cartridge")
        assert {(one["pointer"], one["code"]) for one in refused.json()["errors"]} == {
            ("#/cartridge/colour", "schema.additionalProperties"), ("#/cartridge/shade", "schema.additionalProperties"),
            ("#/cartridge/style/emoji", "schema.required"), ("#/cartridge/meta", "schema.required"),
            ("#/cartridge/safetyRedirects/0/redirect", "redirect-blank"),
            ("#/cartridge/behavior/do/0", "pii-email"),
        }  # fmt: skip
        assert client.get(f"/v1/personas/{slug}").status_code == 404


@pytest.mark.parametrize("text", ["", "  ", "\u200b"])
def test_redirect__that_says_nothing__is_not_published_by_any_way(acme: httpx.Client, slug: str, text: str) -> None:
    raw = cartridge(slug)
    raw["safetyRedirects"][0]["redirect"] = text
    acme.post("/v1/personas", json={"cartridge": cartridge(slug)}).raise_for_status()
    acme.put(f"/v1/personas/{slug}/draft", json={"cartridge": raw}).raise_for_status()
    for refused in (
        acme.put(f"/v1/personas/{slug}", json={"cartridge": raw}),
        acme.post(f"/v1/personas/{slug}/publish", json={}),
    ):
        assert [one["code"] for one in refused.json()["errors"]] == ["redirect-blank"]
    assert acme.get(f"/v1/personas/{slug}").json()["version"] == 1
    acme.delete(f"/v1/personas/{slug}/draft")
    acme.delete(f"/v1/personas/{slug}")


@pytest.mark.parametrize(
    ("persona_id", "code"), [("lint", "id-reserved"), ("import", "id-reserved"), ("a b", "id-slug"), ("", "id-slug")]
)
def test_draft__of_an_id_that_none_can_have__is_an_invalid_cartridge(
    acme: httpx.Client, persona_id: str, code: str
) -> None:
    refused = acme.post("/v1/personas", json={"cartridge": cartridge(persona_id), "draft": True})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_cartridge")
    assert [(one["pointer"], one["code"]) for one in refused.json()["errors"]] == [("#/cartridge/id", code)]
    assert persona_id not in {one["id"] for one in acme.get("/v1/persona-drafts?limit=200").json()["data"]}


def test_archived__persona__says_what_to_do_next_in_chat_too(acme: httpx.Client, slug: str) -> None:
    acme.post("/v1/personas", json={"cartridge": cartridge(slug)}).raise_for_status()
    acme.delete(f"/v1/personas/{slug}").raise_for_status()
    turn = {"model": "ikiro/sandbox", "persona_id": slug, "subject_id": "f",
            "messages": [{"role": "user", "content": "Hello"}]}  # fmt: skip
    for refused in (acme.post("/v1/chat", json=turn), acme.get(f"/v1/personas/{slug}")):
        assert (refused.status_code, refused.json()["code"]) == (410, "persona_archived")
        assert f"POST /v1/personas/{slug}/restore" in refused.json()["detail"]
