"""The life of an API key, over HTTP, for two organizations."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.harness import Gateway, eventually


def status(gateway: Gateway, key: str, path: str = "/v1/me") -> tuple[int, str | None]:
    answer = httpx.get(gateway.base_url + path, headers={"authorization": f"Bearer {key}"})
    return answer.status_code, answer.json().get("code")


@pytest.fixture
def client(gateway: Gateway):
    with gateway.acme.client() as client:
        yield client


def make(client: httpx.Client, **fields: object) -> dict:
    answer = client.post("/v1/keys", json={"name": "test", **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_key__created__works_at_once_and_hides_its_secret_ever_after(gateway: Gateway, client: httpx.Client) -> None:
    made = make(client, name="first", mode="test")
    assert made["secret"].startswith(f"ik_test_{made['prefix'].removeprefix('ik_test_')}_")
    assert status(gateway, made["secret"]) == (200, None)
    shown = client.get(f"/v1/keys/{made['id']}")
    assert "secret" not in shown.json()
    assert made["secret"] not in shown.text
    assert made["secret"] not in client.get("/v1/keys").text
    with gateway.globex.client() as other:
        assert other.get(f"/v1/keys/{made['id']}").status_code == 404
        assert other.delete(f"/v1/keys/{made['id']}").status_code == 404
        assert made["id"] not in other.get("/v1/keys?limit=200").text
    assert status(gateway, made["secret"]) == (200, None)


def test_key__rotated__old_secret_lives_on_and_new_one_works(gateway: Gateway, client: httpx.Client) -> None:
    made = make(client)
    rotated = client.post(f"/v1/keys/{made['id']}/rotate").json()
    assert rotated["id"] == made["id"]
    assert rotated["prefix"] == made["prefix"]
    assert rotated["secret"] != made["secret"]
    until = datetime.fromisoformat(rotated["old_secret_valid_until"]) - datetime.now(UTC)
    assert timedelta(hours=23, minutes=59) < until <= timedelta(hours=24)
    eventually(lambda: status(gateway, rotated["secret"])[0] == 200, within=1)
    assert status(gateway, made["secret"]) == (200, None)
    running = client.post(f"/v1/keys/{made['id']}/rotate")
    assert (running.status_code, running.json()["code"]) == (409, "rotation_running")
    late = datetime.fromisoformat(running.json()["old_secret_valid_until"])
    assert abs(late - datetime.fromisoformat(rotated["old_secret_valid_until"])) < timedelta(milliseconds=1)
    assert status(gateway, made["secret"]) == (200, None)
    again = client.post(f"/v1/keys/{made['id']}/rotate", json={"force": True}).json()
    eventually(lambda: status(gateway, made["secret"]) == (401, "key_unknown"), within=1)
    assert status(gateway, rotated["secret"]) == (200, None)
    assert status(gateway, again["secret"]) == (200, None)


@pytest.mark.parametrize("grace_s", [0, 3_600, 604_800])
def test_key__rotated_with_a_grace__ends_the_old_secret_then(
    gateway: Gateway, client: httpx.Client, grace_s: int
) -> None:
    made = make(client)
    rotated = client.post(f"/v1/keys/{made['id']}/rotate", json={"grace_s": grace_s}).json()
    until = datetime.fromisoformat(rotated["old_secret_valid_until"]) - datetime.fromisoformat(rotated["rotated_at"])
    assert until == timedelta(seconds=grace_s)
    assert rotated["state"] == ("rotating" if grace_s else "active")
    ended = (401, "key_expired") if grace_s == 0 else (200, None)
    eventually(lambda: status(gateway, made["secret"]) == ended, within=1)
    refused = client.post(f"/v1/keys/{made['id']}/rotate", json={"grace_s": 5})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/grace_s")


def test_key__grace_ended_early__refuses_the_old_secret_within_a_second(gateway: Gateway, client: httpx.Client) -> None:
    made = make(client)
    rotated = client.post(f"/v1/keys/{made['id']}/rotate").json()
    assert client.post(f"/v1/keys/{made['id']}/end-grace").json()["state"] == "active"
    eventually(lambda: status(gateway, made["secret"]) == (401, "key_expired"), within=1, every=0.02)
    assert status(gateway, rotated["secret"]) == (200, None)
    once = client.get(f"/v1/keys/{made['id']}").json()
    assert client.post(f"/v1/keys/{made['id']}/end-grace").json() == once
    with gateway.globex.client() as other:
        assert other.post(f"/v1/keys/{made['id']}/end-grace").status_code == 404


def test_keys__listed_by_state_and_words__are_those(gateway: Gateway, client: httpx.Client) -> None:
    one, two, three = (make(client, name=f"findable {name}") for name in ("one", "two", "three"))
    client.post(f"/v1/keys/{two['id']}/rotate")
    client.delete(f"/v1/keys/{three['id']}")

    def found(query: str) -> list[str]:
        return [key["id"] for key in client.get(f"/v1/keys?{query}").json()["data"]]

    assert found("q=FINDABLE") == [three["id"], two["id"], one["id"]]
    assert found("q=findable&state=active") == [one["id"]]
    assert found("q=findable&state=rotating") == [two["id"]]
    assert found("q=findable&state=revoked") == [three["id"]]
    assert found("q=findable&state=expired") == []
    assert found(f"q={one['prefix'][:16]}") == [one["id"]]
    assert client.get("/v1/keys?state=sleeping").status_code == 422
    with gateway.globex.client() as other:
        assert other.get("/v1/keys?q=findable").json()["data"] == []


@pytest.mark.parametrize("scope", ["members:write", "organization:write", "sso:write"])
def test_key__with_a_scope_for_people__is_refused(client: httpx.Client, scope: str) -> None:
    refused = client.post("/v1/keys", json={"name": "x", "scopes": ["chat", scope]})
    assert (refused.status_code, refused.json()["code"]) == (422, "scope_not_for_keys")
    assert refused.json()["errors"][0]["pointer"] == "#/scopes"


def test_key__revoked__is_refused_within_a_second_and_cannot_be_rotated_back(
    gateway: Gateway, client: httpx.Client
) -> None:
    made = make(client)
    assert status(gateway, made["secret"]) == (200, None)
    revoked_at = time.monotonic()
    assert client.delete(f"/v1/keys/{made['id']}").json()["state"] == "revoked"
    eventually(lambda: status(gateway, made["secret"]) == (401, "key_revoked"), within=1, every=0.02)
    assert time.monotonic() - revoked_at < 1
    assert client.delete(f"/v1/keys/{made['id']}").status_code == 200
    assert client.post(f"/v1/keys/{made['id']}/rotate").status_code == 409


def test_key__expired__is_refused_with_its_reason(gateway: Gateway, client: httpx.Client) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    made = make(client, expires_at=soon.isoformat())
    assert status(gateway, made["secret"]) == (200, None)
    eventually(lambda: status(gateway, made["secret"]) == (401, "key_expired"), within=2)
    past = client.post("/v1/keys", json={"name": "x", "expires_at": "2020-01-01T00:00:00Z"})
    assert past.status_code == 422
    assert past.json()["errors"][0]["pointer"] == "#/expires_at"


def test_key__scoped__does_only_what_its_scopes_say_and_makes_no_wider_key(
    gateway: Gateway, client: httpx.Client
) -> None:
    made = make(client, scopes=["keys:write", "memories:read"], persona_ids=["brand-default"])
    assert status(gateway, made["secret"], "/v1/subjects") == (200, None)
    assert status(gateway, made["secret"], "/v1/proposals") == (403, "scope_missing")
    with gateway.acme.client(made["secret"]) as narrow:
        wider = narrow.post("/v1/keys", json={"name": "wider"})
        assert (wider.status_code, wider.json()["code"]) == (403, "key_too_wide")
        within = {"name": "same", "scopes": ["memories:read"], "persona_ids": ["brand-default"]}
        assert narrow.post("/v1/keys", json=within).status_code == 201
        own = client.get("/v1/keys?limit=1").json()["data"][0]
        full = next(key for key in client.get("/v1/keys?limit=200").json()["data"] if key["name"] == "quickstart")
        assert own["name"] == "same"
        assert narrow.post(f"/v1/keys/{full['id']}/rotate").json()["code"] == "key_too_wide"
    unknown = client.post("/v1/keys", json={"name": "x", "scopes": ["everything"]})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_scope")


def test_key__used__shows_when_without_a_write_per_request(gateway: Gateway, client: httpx.Client) -> None:
    made = make(client)
    assert made["last_used_at"] is None
    assert status(gateway, made["secret"]) == (200, None)
    used = eventually(lambda: client.get(f"/v1/keys/{made['id']}").json()["last_used_at"], within=12)
    assert datetime.now(UTC) - datetime.fromisoformat(used) < timedelta(seconds=15)


@pytest.mark.parametrize("key", ["", "ik_live_short", "sk-something", "ik_live_0123456789abcdef_" + "0" * 39])
def test_key__malformed__is_refused_by_its_shape(gateway: Gateway, key: str) -> None:
    answer = httpx.get(gateway.base_url + "/v1/me", headers={"authorization": f"Bearer {key}"} if key else {})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == ("key_malformed" if key else "key_missing")
    assert answer.headers["x-request-id"].startswith("req_")


def test_key__of_another_mode_of_sending__is_taken_from_x_api_key(gateway: Gateway) -> None:
    answer = httpx.get(gateway.base_url + "/v1/me", headers={"x-api-key": gateway.globex.api_key})
    assert answer.json()["organization"]["slug"] == "globex"
