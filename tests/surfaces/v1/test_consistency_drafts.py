"""Golden prompts of personas that are only drafted so far, and runs of drafts that became versions; two
organizations."""

from __future__ import annotations

import secrets
from typing import Any

import httpx
import pytest

from tests.surfaces import clients
from tests.surfaces.v1 import test_consistency as golden
from tests.surfaces.v1.test_consistency import MODEL, PROMPTS, RUDE, asked, cartridge, save

acme, globex = clients.acme, clients.globex
embeds, persona, speaks = golden.embeds, golden.persona, golden.speaks


@pytest.fixture
def drafted(acme: httpx.Client) -> str:
    """A persona that was never published, in acme alone."""
    name = f"drafted-{secrets.token_hex(4)}"
    acme.put(f"/v1/personas/{name}/draft", json={"cartridge": cartridge(name)}).raise_for_status()
    return name


def versions(client: httpx.Client, name: str) -> list[tuple[int, bool, str, Any]]:
    shown = client.get(f"/v1/personas/{name}/consistency").raise_for_status().json()["versions"]
    return [(one["version"], one["current"], one["run"]["id"], one["change_points"]) for one in shown]


def test_first_draft__with_golden_prompts_of_its_own__is_managed_and_published_only_in_voice(
    acme, globex, drafted, speaks
):
    path = f"/v1/personas/{drafted}"
    shown = acme.get(f"{path}/golden-prompts").raise_for_status().json()
    examples = [one["user"] for one in cartridge(drafted)["examples"]]
    assert (shown["revision"], [one["prompt"] for one in shown["prompts"]]) == (0, examples)
    assert acme.get(f"{path}/consistency-runs").raise_for_status().json()["data"] == []
    assert save(acme, drafted, required=True)["revision"] == 1
    assert acme.get(f"{path}/golden-prompts").headers["etag"] == '"1"'
    for refused in (acme.post(f"{path}/publish"), acme.post("/v1/personas", json={"cartridge": cartridge(drafted)})):
        assert (refused.status_code, refused.json()["code"]) == (409, "consistency_required")
        assert refused.json()["reasons"] == ["not_asked"]
    assert acme.get(path).status_code == 404
    run = asked(acme, drafted, target="draft")
    assert [one["name"] for one in run["replies"]] == ["Parcel", "Hello"]
    stands = acme.get(f"{path}/consistency").raise_for_status().json()
    assert (stands["current_version"], stands["versions"], stands["draft"]["id"]) == (0, [], run["id"])
    assert acme.get(f"{path}/consistency-runs").json()["data"][0]["id"] == run["id"]
    assert acme.post(f"{path}/publish").raise_for_status().json()["version"] == 1
    assert versions(acme, drafted) == [(1, True, run["id"], None)]
    for where in ("golden-prompts", "consistency", "consistency-runs"):
        unknown = globex.get(f"{path}/{where}")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "persona_not_found")
    assert globex.put(f"{path}/golden-prompts", json={"prompts": PROMPTS}).json()["code"] == "persona_not_found"


def test_first_draft__with_errors_or_thrown_away__shows_no_examples_then_is_unknown_again(acme, drafted):
    path = f"/v1/personas/{drafted}"
    broken = {**cartridge(drafted), "style": {}}
    acme.put(f"{path}/draft", json={"cartridge": broken}).raise_for_status()
    assert acme.get(f"{path}/golden-prompts").raise_for_status().json()["prompts"] == []
    assert acme.get(f"{path}/consistency").raise_for_status().json()["draft"] is None
    save(acme, drafted)
    assert [acme.delete(f"{path}/golden-prompts").status_code for _ in range(2)] == [204, 204]
    acme.delete(f"{path}/draft").raise_for_status()
    for answer in (
        acme.get(f"{path}/golden-prompts"),
        acme.put(f"{path}/golden-prompts", json={"prompts": PROMPTS}),
        acme.delete(f"{path}/golden-prompts"),
        acme.get(f"{path}/consistency"),
        acme.get(f"{path}/consistency-runs"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "persona_not_found")


def test_archived__with_golden_prompts__shows_them_and_takes_no_others(acme, globex, persona):
    path = f"/v1/personas/{persona}/golden-prompts"
    acme.delete(f"/v1/personas/{persona}").raise_for_status()
    assert acme.get(path).raise_for_status().json()["revision"] == 1
    refused = acme.put(path, json={"prompts": PROMPTS[:1]})
    assert (refused.status_code, refused.json()["code"]) == (410, "persona_archived")
    assert len(acme.get(path).json()["prompts"]) == 2
    assert globex.put(path, json={"prompts": PROMPTS[:1]}).status_code == 200


def test_run__of_the_draft_that_was_published__stands_for_its_version_until_that_is_asked_itself(
    acme, globex, persona, speaks
):
    path = f"/v1/personas/{persona}"
    first = asked(acme, persona)
    acme.put(f"{path}/draft", json={"cartridge": cartridge(persona, "2.0.0")}).raise_for_status()
    speaks({"parcel": RUDE, "evening": RUDE})
    drafted = asked(acme, persona, target="draft")
    assert versions(acme, persona) == [(1, True, first["id"], None)]
    assert acme.get(f"{path}/consistency").json()["draft"]["id"] == drafted["id"]
    acme.post(f"{path}/publish").raise_for_status()
    change = round(drafted["drift_percent"] - first["drift_percent"], 2)
    assert change > 20
    assert versions(acme, persona) == [(2, True, drafted["id"], change), (1, False, first["id"], None)]
    assert acme.get(f"{path}/consistency").json()["draft"] is None
    # What version 2 said as a draft is what version 3, which is asked the same without a reference, is held against.
    acme.put(path, json={"cartridge": cartridge(persona, "3.0.0")}).raise_for_status()
    third = asked(acme, persona)
    hello = third["replies"][1]
    assert (hello["compared_with"], hello["answer"], hello["scores"]["similarity"]) == ("version_before", RUDE, 1.0)
    speaks({"parcel": golden.PARCEL, "evening": "Good evening to you. How can I help?"})
    second = asked(acme, persona, target=2, model=MODEL)
    shown = versions(acme, persona)
    assert [(number, run) for number, _, run, _ in shown] == [
        (3, third["id"]), (2, second["id"]), (1, first["id"]),
    ]  # fmt: skip
    assert shown[0][3] == round(third["drift_percent"] - second["drift_percent"], 2)
    assert versions(globex, persona) == []


def test_golden_prompts__saved_on_a_condition__as_the_document_says(acme, globex, persona):
    paths = acme.get("/v1/openapi.json").raise_for_status().json()["paths"]
    saving = paths["/v1/personas/{persona_id}/golden-prompts"]["put"]
    header = next(one for one in saving["parameters"] if one["name"] == "If-Match")
    assert (header["in"], header["required"]) == ("header", False)
    assert {"409", "410", "422"} <= set(saving["responses"])
    assert {"409", "410"} <= set(paths["/v1/personas/{persona_id}/consistency-runs"]["post"]["responses"])
    path = f"/v1/personas/{persona}/golden-prompts"
    for condition, status, code in (
        ('"0"', 409, "golden_prompts_conflict"),
        ("latest", 422, "invalid_request"),
        ('W/"1"', 200, None),
        ("*", 200, None),
    ):
        answer = acme.put(path, json={"prompts": PROMPTS, "model": MODEL}, headers={"If-Match": condition})
        assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
        assert acme.get(path).json()["revision"] == 1
    acme.put(path, json={"prompts": PROMPTS[:1]}, headers={"If-Match": "1"}).raise_for_status()
    assert acme.get(path).json()["revision"] == 2
    assert globex.get(path).json()["revision"] == 1
