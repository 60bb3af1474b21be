"""A persona's life over HTTP, from a draft to another organization: what each step answers, refuses and changes."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from gateway.knowledge.personas.formats import digest
from gateway.knowledge.personas.templates import TEMPLATES
from tests.architecture.tree import ROOT
from tests.harness import Gateway
from tests.knowledge.personas.support import cartridge
from tests.surfaces import clients

acme, globex = clients.acme, clients.globex


@pytest.fixture
def slug(acme: httpx.Client, globex: httpx.Client) -> Iterator[str]:
    name = f"p-{secrets.token_hex(4)}"
    yield name
    for client in (acme, globex):
        client.delete(f"/v1/personas/{name}")


def say(client: httpx.Client, persona_id: str, text: str = "Hello", **given: Any) -> dict[str, Any]:
    body = {"model": "ikiro/sandbox", "persona_id": persona_id, "subject_id": "lifecycle", **given}
    answer = client.post("/v1/chat", json={**body, "messages": [{"role": "user", "content": text}]})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("name", ["1.1", "1.2"])
def test_schema__asked_for_by_anybody__is_the_committed_file(gateway: Gateway, name: str) -> None:
    path = f"/schemas/persona-cartridge-{name}.json"
    answer = httpx.get(f"{gateway.base_url}{path}")
    committed = ROOT / f"gateway/knowledge/personas/cartridge_{name.replace('.', '_')}.schema.json"
    assert (answer.status_code, answer.content) == (200, committed.read_bytes())
    assert answer.headers["content-type"] == "application/schema+json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.json()["$id"].endswith(path)
    seen = {"if-none-match": answer.headers["etag"]}
    assert httpx.get(f"{gateway.base_url}{path}", headers=seen).status_code == 304
    assert httpx.post(f"{gateway.base_url}{path}").status_code == 405
    assert httpx.get(f"{gateway.base_url}/schemas/persona-cartridge-9.9.json").status_code == 404


def test_lint__over_http__tells_place_rule_and_fix_and_keeps_nothing(acme: httpx.Client, slug: str) -> None:
    raw = cartridge(slug, tone="friendly and playful")
    raw["behavior"]["do"] = ["Be nice"]
    raw["style"]["emoji"] = "many"
    found = acme.post("/v1/personas/lint", json={"cartridge": raw}).json()
    assert (found["publishable"], found["errors"], found["warnings"], found["advice"]) == (False, 1, 1, 2)
    assert found["findings"][0]["pointer"] == "#/cartridge/style/emoji"
    assert found["findings"][0]["rule"] == "schema.enum"
    assert found["findings"][0]["fix"] == "Use one of none, minimal, regular."
    raw["style"]["emoji"] = "none"
    found = acme.post("/v1/personas/lint", json={"cartridge": raw}).json()
    assert found["publishable"] is True
    assert [(one["severity"], one["rule"]) for one in found["findings"]] == [
        ("warning", "tone-compound"), ("advice", "rule-concrete"), ("advice", "clarifying-question"),
    ]  # fmt: skip
    rules = {rule["id"]: rule["severity"] for rule in acme.get("/v1/personas/lint/rules").json()["data"]}
    assert all(rules[one["rule"]] == one["severity"] for one in found["findings"])
    assert acme.get(f"/v1/personas/{slug}").status_code == 404


def test_draft__to_version__every_step_over_http(acme: httpx.Client, globex: httpx.Client, slug: str) -> None:
    path = f"/v1/personas/{slug}"
    made = acme.post("/v1/personas", json={"cartridge": {"id": slug}, "draft": True})
    assert (made.status_code, made.json()["publishable"], made.json()["revision"]) == (201, False, 1)
    refused = acme.post(f"{path}/publish", json={})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_cartridge")
    assert {problem["code"] for problem in refused.json()["errors"]} == {"schema.required", "safety-redirect"}
    saved = acme.put(f"{path}/draft", json={"cartridge": cartridge(slug)}, headers={"if-match": '"1"'}).json()
    assert (saved["revision"], saved["publishable"], saved["findings"]) == (2, True, [])
    assert acme.get(path).json()["code"] == "persona_not_found"
    assert slug in {one["id"] for one in acme.get("/v1/persona-drafts?limit=200").json()["data"]}
    first = acme.post(f"{path}/publish", json={"expected_revision": 2}).json()
    assert (first["version"], first["cartridge"], first["warnings"]) == (1, cartridge(slug), [])
    assert acme.get(f"{path}/draft").json()["code"] == "draft_not_found"

    changed = cartridge(slug, tone="formal")
    changed["behavior"]["dont"].append("Use slang words")
    acme.put(f"{path}/draft", json={"cartridge": changed})
    diff = acme.get(f"{path}/diff?from=1&to=draft").json()
    assert [(one["op"], one["pointer"]) for one in diff["changes"]] == [
        ("replace", "/style/tone"), ("add", "/behavior/dont/2"),
    ]  # fmt: skip
    assert "+- Use slang words" in diff["prompt"]["lines"]
    assert diff["prompt"]["token_delta"] > 0
    assert acme.post(f"{path}/publish").json()["version"] == 2
    back = acme.post(f"{path}/rollback", json={"version": 1, "expected_version": 2}).json()
    assert (back["version"], back["made_from"], back["digest"]) == (3, "version:1", first["digest"])
    assert [one["version"] for one in acme.get(f"{path}/versions").json()["data"]] == [3, 2, 1]
    assert acme.get(f"{path}/versions/2").json()["cartridge"] == changed

    acme.delete(path)
    assert slug in {one["id"] for one in acme.get("/v1/personas?archived=true&limit=200").json()["data"]}
    assert acme.post(f"{path}/restore").json()["archived_at"] is None
    assert acme.get(path).json()["version"] == 3
    for method, rest, body in (
        ("GET", "/draft", None), ("GET", "/versions/1", None), ("GET", "/diff?from=1&to=2", None),
        ("GET", "/export", None), ("POST", "/publish", {}), ("POST", "/rollback", {"version": 1}),
        ("POST", "/restore", {}),
    ):  # fmt: skip
        assert globex.request(method, f"{path}{rest}", json=body).status_code == 404


def test_publish__two_at_once__one_is_409_with_the_others_change(acme: httpx.Client, slug: str) -> None:
    acme.post("/v1/personas", json={"cartridge": cartridge(slug)})
    tones = ("formal", "expert", "playful", "concise")

    def publish(tone: str) -> httpx.Response:
        body = {"cartridge": cartridge(slug, tone=tone), "expected_version": 1}
        return acme.put(f"/v1/personas/{slug}", json=body)

    with ThreadPoolExecutor(len(tones)) as pool:
        answers = list(pool.map(publish, tones))
    (won,) = [answer.json() for answer in answers if answer.status_code == 200]
    lost = [answer.json() for answer in answers if answer.status_code == 409]
    assert len(lost) == 3
    for refusal in lost:
        assert (refusal["code"], refusal["current_version"], refusal["digest"]) == (
            "version_conflict",
            2,
            won["digest"],
        )
        assert refusal["published_by"] == won["published_by"]
        assert refusal["published_at"]
        (change,) = refusal["changes"]
        assert (change["pointer"], change["after"]) == ("/style/tone", won["cartridge"]["style"]["tone"])
    assert acme.get(f"/v1/personas/{slug}").json()["version"] == 2


def test_publish__on_one_worker__is_what_the_next_conversation_on_another_speaks_with(
    gateway: Gateway, acme: httpx.Client, slug: str
) -> None:
    acme.post("/v1/personas", json={"cartridge": cartridge(slug)})
    with gateway.beside() as other, other.acme.client() as there:
        begun = say(there, slug)
        assert begun["persona_version"] == 1
        for version in (2, 3, 4):
            tone = ("formal", "expert")[version % 2]
            acme.put(f"/v1/personas/{slug}/draft", json={"cartridge": cartridge(slug, tone=tone)})
            assert acme.post(f"/v1/personas/{slug}/publish").json()["version"] == version
            assert say(there, slug)["persona_version"] == version
        again = say(there, slug, conversation_id=begun["conversation_id"])
        assert again["persona_version"] == 1
    assert say(acme, slug)["persona_version"] == 4
    events = acme.get("/v1/events?type=persona.updated&limit=100").json()["data"]
    assert [event["persona_version"] for event in events if event["persona_id"] == slug] == [4, 3, 2, 1]


def test_export__to_another_organization__keeps_every_byte(acme: httpx.Client, globex: httpx.Client, slug: str) -> None:
    acme.post("/v1/personas", json={"template": "companion", "id": slug})
    out = acme.get(f"/v1/personas/{slug}/export?format=1.1&sign=true").json()
    assert out["digest"] == digest(out["cartridge"])
    assert out["carried"] == [f"/meta/x-cartridge-1.2/{name}" for name in ("continuation", "modes", "stages")]
    sent = {name: out[name] for name in ("cartridge", "digest", "signature")}

    unsigned = globex.post("/v1/personas/import", json={"cartridge": out["cartridge"], "publish": True})
    assert (unsigned.status_code, unsigned.json()["state"], unsigned.json()["why"]) == (201, "draft", "unsigned")
    taken = globex.post("/v1/personas/import", json={**sent, "publish": True})
    assert (taken.status_code, taken.json()["code"]) == (409, "persona_exists")
    globex.delete(f"/v1/personas/{slug}/draft")
    made = globex.post("/v1/personas/import", json={**sent, "publish": True}).json()
    assert (made["state"], made["version"], made["signed_by"]) == ("published", 1, out["signature"]["kid"])
    here, there = acme.get(f"/v1/personas/{slug}").json(), globex.get(f"/v1/personas/{slug}").json()
    assert there["cartridge"] == here["cartridge"]
    assert there["digest"] == here["digest"]
    assert there["made_from"] == f"import:{out['digest']}"


@pytest.mark.parametrize("what", ["digest", "document", "signature", "kid", "noise"])
def test_import__tampered_with__is_refused_and_nothing_is_kept(
    acme: httpx.Client, globex: httpx.Client, slug: str, what: str
) -> None:
    acme.post("/v1/personas", json={"cartridge": cartridge(slug)})
    out = acme.get(f"/v1/personas/{slug}/export?sign=true").json()
    body = json.loads(json.dumps({name: out[name] for name in ("cartridge", "digest", "signature")}))
    if what == "digest":
        body["digest"] = "sha256:" + "0" * 64
    elif what == "document":
        body["cartridge"]["behavior"]["dont"] = []
        body["digest"] = digest(body["cartridge"])
    elif what == "signature":
        body["signature"]["value"] = body["signature"]["value"][::-1]
    elif what == "kid":
        body["signature"]["kid"] = "x" * 43
    else:
        body["signature"]["value"] = "not base64 at all!"
    refused = globex.post("/v1/personas/import", json=body)
    assert (refused.status_code, refused.json()["code"]) == (
        422, "digest_mismatch" if what == "digest" else "signature_invalid",
    )  # fmt: skip
    assert globex.get(f"/v1/personas/{slug}/draft").status_code == 404
    assert globex.get(f"/v1/personas/{slug}").status_code == 404


def test_templates__all_five__make_a_persona_without_a_word_from_lint(acme: httpx.Client, slug: str) -> None:
    listed = acme.get("/v1/persona-templates").json()["data"]
    assert (
        [one["name"] for one in listed] == ["support", "hr", "developer-helper", "companion", "sales"] == [*TEMPLATES]
    )
    for one in listed:
        made = acme.post("/v1/personas", json={"template": one["name"], "id": f"{slug}-{one['name']}"}).json()
        assert (made["version"], made["warnings"], made["made_from"]) == (1, [], f"template:{one['name']}")
        assert made["cartridge"]["owner"]["ownerId"] != "{{organization}}"
        acme.delete(f"/v1/personas/{slug}-{one['name']}")
    assert acme.post("/v1/personas", json={"template": "none"}).json()["code"] == "persona_template_not_found"
    for body in ({}, {"template": "hr", "cartridge": cartridge(slug)}, {"cartridge": cartridge(slug), "id": slug}):
        assert acme.post("/v1/personas", json=body).status_code == 422


def test_narrowed_key__drafts_and_imports_of_others__are_403(acme: httpx.Client, gateway: Gateway, slug: str) -> None:
    acme.put(f"/v1/personas/{slug}/draft", json={"cartridge": cartridge(slug)})
    key = acme.post("/v1/keys", json={"name": slug, "persona_ids": [f"{slug}-own"]}).json()
    own = f"/v1/personas/{slug}-own"
    with gateway.acme.client(key["secret"]) as narrow:
        assert narrow.put(f"{own}/draft", json={"cartridge": cartridge(f"{slug}-own")}).status_code == 200
        assert [one["id"] for one in narrow.get("/v1/persona-drafts").json()["data"]] == [f"{slug}-own"]
        for method, path, body in (
            ("GET", f"/v1/personas/{slug}/draft", None),
            ("PUT", f"/v1/personas/{slug}/draft", {"cartridge": {}}),
            ("DELETE", f"/v1/personas/{slug}/draft", None),
            ("POST", f"/v1/personas/{slug}/publish", {}),
            ("GET", f"/v1/personas/{slug}/diff", None),
            ("GET", f"/v1/personas/{slug}/export", None),
            ("POST", "/v1/personas/import", {"cartridge": cartridge(slug)}),
            ("POST", "/v1/personas/import", {"cartridge": cartridge(f"{slug}-own"), "as_id": slug}),
            ("POST", "/v1/personas", {"template": "hr"}),
        ):
            refused = narrow.request(method, path, json=body)
            assert (refused.status_code, refused.json()["code"]) == (403, "persona_not_allowed"), path
    acme.delete(f"/v1/keys/{key['id']}")
    acme.delete(f"{own}/draft")
    assert acme.get(f"/v1/personas/{slug}/draft").json()["revision"] == 1
    acme.delete(f"/v1/personas/{slug}/draft")
