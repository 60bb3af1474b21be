"""Publishing over HTTP when several do it at once, or one does it twice."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.knowledge.personas.support import cartridge
from tests.surfaces import clients

acme, globex = clients.acme, clients.globex


@pytest.fixture
def slug(acme: httpx.Client, globex: httpx.Client) -> Iterator[str]:
    name = f"q-{secrets.token_hex(4)}"
    yield name
    for client in (acme, globex):
        client.delete(f"/v1/personas/{name}")


@pytest.mark.parametrize("published", [False, True], ids=["its first version", "its second version"])
def test_publish__eight_at_once_without_a_condition__seven_are_told_of_the_other(
    acme: httpx.Client, globex: httpx.Client, slug: str, published: bool
) -> None:
    path = f"/v1/personas/{slug}"
    for client in (acme, globex):
        if published:
            client.post("/v1/personas", json={"cartridge": cartridge(slug)}).raise_for_status()
        client.put(f"{path}/draft", json={"cartridge": cartridge(slug, tone="formal")}).raise_for_status()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: acme.post(f"{path}/publish", json={}), range(8)))
    (won,) = [answer.json() for answer in answers if answer.status_code == 200]
    lost = [answer.json() for answer in answers if answer.status_code == 409]
    assert len(lost) == 7
    for refusal in lost:
        assert (refusal["code"], refusal["current_version"]) == ("version_conflict", won["version"])
        assert (refusal["published_by"], refusal["digest"]) == (won["published_by"], won["digest"])
        assert refusal["published_at"]
        assert [one["pointer"] for one in refusal["changes"]] == (["/style/tone"] if published else [])
    assert acme.get(path).json()["version"] == won["version"] == 1 + published
    # Whoever comes where nothing was published from a draft is told that there is none.
    acme.put(path, json={"cartridge": cartridge(slug, tone="expert")}).raise_for_status()
    refused = acme.post(f"{path}/publish", json={})
    assert (refused.status_code, refused.json()["code"]) == (404, "draft_not_found")
    assert globex.get(f"{path}/draft").json()["revision"] == 1


def test_put__the_current_document_again__is_the_same_version_and_tells_nobody(
    acme: httpx.Client, globex: httpx.Client, slug: str
) -> None:
    path = f"/v1/personas/{slug}"
    for client in (acme, globex):
        client.post("/v1/personas", json={"cartridge": cartridge(slug)}).raise_for_status()
        changed = {"cartridge": cartridge(slug, tone="formal")}
        first = client.put(path, json=changed, headers={"if-match": '"1"'})
        again = client.put(path, json=changed)
        assert (first.headers["etag"], again.headers["etag"]) == ('"2"', '"2"')
        assert again.json() == first.json()
        stale = client.put(path, json=changed, headers={"if-match": '"1"'})
        assert (stale.status_code, stale.json()["current_version"]) == (409, 2)
        assert len(client.get(f"{path}/versions").json()["data"]) == 2
        events = client.get("/v1/events?type=persona.updated&limit=100").json()["data"]
        assert [event["persona_version"] for event in events if event["persona_id"] == slug] == [2, 1]


def test_etag__of_what_is_read__is_what_if_match_takes(acme: httpx.Client, slug: str) -> None:
    path = f"/v1/personas/{slug}"
    acme.post("/v1/personas", json={"cartridge": cartridge(slug)}).raise_for_status()
    tag = acme.get(path).headers["etag"]
    saved = acme.put(path, json={"cartridge": cartridge(slug, tone="formal")}, headers={"if-match": tag})
    assert (tag, saved.status_code, saved.headers["etag"]) == ('"1"', 200, '"2"')
    assert acme.get(f"{path}?version=1").headers["etag"] == '"1"'
    begun = acme.put(f"{path}/draft", json={"cartridge": cartridge(slug)})
    assert begun.headers["etag"] == acme.get(f"{path}/draft").headers["etag"] == '"1"'
    next_one = acme.put(f"{path}/draft", json={"cartridge": {}}, headers={"if-match": begun.headers["etag"]})
    assert (next_one.status_code, next_one.headers["etag"]) == (200, '"2"')
    acme.delete(f"{path}/draft")


def test_import__as_an_update__is_the_draft_of_the_persona_that_is_there(
    acme: httpx.Client, globex: httpx.Client, slug: str
) -> None:
    path = f"/v1/personas/{slug}"
    acme.post("/v1/personas", json={"cartridge": cartridge(slug, tone="formal")}).raise_for_status()
    globex.post("/v1/personas", json={"cartridge": cartridge(slug)}).raise_for_status()
    out = acme.get(f"{path}/export?sign=true").json()
    sent = {name: out[name] for name in ("cartridge", "digest", "signature")}

    taken = globex.post("/v1/personas/import", json=sent)
    assert (taken.status_code, taken.json()["code"]) == (409, "persona_exists")
    tampered = {**sent, "update": True, "cartridge": {**sent["cartridge"], "precedence": 1}}
    assert globex.post("/v1/personas/import", json=tampered).json()["code"] == "digest_mismatch"
    both = globex.post("/v1/personas/import", json={**sent, "update": True, "publish": True})
    assert (both.status_code, both.json()["errors"][0]["pointer"]) == (422, "#")
    assert globex.get(f"{path}/draft").status_code == 404

    made = globex.post("/v1/personas/import", json={**sent, "update": True})
    assert (made.status_code, made.json()["state"], made.json()["why"]) == (201, "draft", "not_asked")
    draft = globex.get(f"{path}/draft").json()
    assert (draft["based_on"], draft["cartridge"], draft["made_from"]) == (
        1, out["cartridge"], f"import:{out['digest']}",
    )  # fmt: skip
    again = globex.post("/v1/personas/import", json={**sent, "update": True})
    assert (again.status_code, again.json()["code"]) == (409, "draft_conflict")
    published = globex.post(f"{path}/publish", json={}).json()
    assert (published["version"], published["digest"]) == (2, out["digest"])
    assert acme.get(path).json()["version"] == 1
