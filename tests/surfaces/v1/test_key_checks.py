"""What a key is, what it could call, who still uses its old secret, and that every web process obeys, over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.harness import Gateway, Process, eventually, free_port


@pytest.fixture
def client(gateway: Gateway) -> Iterator[httpx.Client]:
    with gateway.acme.client() as client:
        yield client


@pytest.fixture
def second(gateway: Gateway) -> Iterator[str]:
    """The address of another web process of the same product."""
    port = free_port()
    arguments = [str(port) if one == str(gateway.port) else one for one in gateway.web.arguments]
    web = Process(arguments, {**gateway.web.env, "PORT": str(port)}).start()
    address = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: httpx.get(f"{address}/readyz", timeout=2).status_code == 200, within=30)
        yield address
    finally:
        web.stop()
        web.log.unlink()


def make(client: httpx.Client, **limits: Any) -> dict[str, Any]:
    answer = client.post("/v1/keys", json={"name": "asked about", **limits})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_self__of_a_key__says_what_it_is_and_that_it_works_from_here(gateway: Gateway, client: httpx.Client) -> None:
    made = make(
        client, scopes=["chat"], ip_ranges=["127.0.0.1"], origins=["https://app.example"],
        rate={"limit": 50, "window_s": 60}, budget={"limit_micros": 900, "window": "day"},
    )  # fmt: skip
    with gateway.acme.client(made["secret"]) as narrow:
        answer = narrow.get("/v1/keys/self", headers={"origin": "https://app.example"})
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert (shown["kind"], shown["id"], shown["name"], shown["organization"]) == (
        "key", made["id"], "asked about", "acme",
    )  # fmt: skip
    assert (shown["scopes"], shown["state"], shown["secret"]) == (["chat"], "active", "current")
    assert shown["rate"] == {"limit": 50, "window_s": 60}
    assert shown["here"] == {
        "address": "127.0.0.1", "address_allowed": True, "origin": "https://app.example", "origin_allowed": True,
    }  # fmt: skip
    assert shown["limits"]["remaining"] == int(answer.headers["ratelimit-remaining"])
    assert made["secret"] not in answer.text


def test_self__of_a_token__shows_what_is_left_of_its_key_and_not_its_name(
    gateway: Gateway, client: httpx.Client
) -> None:
    made = make(client, models=["openai/*"])
    with gateway.acme.client(made["secret"]) as maker:
        token = maker.post("/v1/tokens", json={"persona_id": "iris", "subject_id": "ada", "budget": 7}).json()
    with gateway.acme.client(token["token"]) as bearer:
        shown = bearer.get("/v1/keys/self").json()
    assert (shown["kind"], shown["id"], shown["key_id"], shown["name"]) == ("token", token["id"], made["id"], None)
    assert (shown["persona_ids"], shown["subject_ids"], shown["models"]) == (["iris"], ["ada"], ["openai/*"])
    assert (shown["scopes"], shown["budget_micros"]) == (["chat"], 7)


@pytest.mark.parametrize("way", ["revoke", "rotate", "nonsense"])
def test_self__of_a_key_that_does_not_work__says_exactly_why(gateway: Gateway, client: httpx.Client, way: str) -> None:
    made = make(client)
    secret = made["secret"]
    if way == "revoke":
        client.delete(f"/v1/keys/{made['id']}")
    elif way == "rotate":
        client.post(f"/v1/keys/{made['id']}/rotate", json={"grace_s": 0})
    else:
        secret = secret[:-1]
    code = {"revoke": "key_revoked", "rotate": "key_expired", "nonsense": "key_malformed"}[way]

    def asked() -> tuple[int, str]:
        answer = httpx.get(f"{gateway.base_url}/v1/keys/self", headers={"authorization": f"Bearer {secret}"})
        return answer.status_code, answer.json().get("code")

    eventually(lambda: asked() == (401, code), within=1, every=0.02)


def _by_name(shown: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    return next(one for one in shown["operations"] if (one["method"], one["path"]) == (method, path))


def test_preview__of_a_narrow_key__tells_what_it_could_call_and_why_not_the_rest(
    gateway: Gateway, client: httpx.Client
) -> None:
    body = {
        "name": "not yet", "scopes": ["chat", "personas:read"], "models": ["openai/*", "nobody/knows"],
        "persona_ids": ["brand-default"], "rate": {"limit": 5, "window_s": 1},
    }  # fmt: skip
    before = client.get("/v1/keys?limit=1").json()["data"][0]["id"]
    answer = client.post("/v1/keys/preview", json=body)
    assert answer.status_code == 200, answer.text
    unsaved = answer.json()
    assert client.get("/v1/keys?limit=1").json()["data"][0]["id"] == before
    made = make(client, **{name: value for name, value in body.items() if name != "name"})

    def agrees() -> dict[str, Any] | None:
        shown = client.post(f"/v1/keys/{made['id']}/preview").json()
        return shown if shown == client.post("/v1/keys/preview", json=body).json() else None

    saved = eventually(agrees, within=30)  # a provider's list of models may come anew between the two
    assert saved.keys() == unsaved.keys()
    assert _by_name(saved, "POST", "/v1/chat")["allowed"] is True
    refused = _by_name(saved, "POST", "/v1/keys")
    assert (refused["allowed"], refused["code"]) == (False, "scope_missing")
    assert "keys:write" in refused["why"]
    assert _by_name(saved, "GET", "/v1/account")["code"] == "user_token_required"
    assert {one["id"]: one["allowed"] for one in saved["personas"]}["brand-default"] is True
    models = {one["id"]: one for one in saved["models"]}
    assert models["ikiro/sandbox"]["allowed"] is False
    assert models["nobody/knows"] == {"id": "nobody/knows", "allowed": True, "listed": False}
    assert any(one["allowed"] for name, one in models.items() if name.startswith("openai/"))
    assert saved["limits"]["rate"] == {"limit": 5, "window_s": 1}
    with gateway.acme.client(made["secret"]) as narrow:
        for one in saved["operations"]:  # what is promised is what happens
            if one["method"] == "GET" and "{" not in one["path"] and not one["allowed"]:
                told = narrow.get(one["path"])
                assert (told.status_code, told.json().get("code") or told.json()["error"]["code"]) == (403, one["code"])
    with gateway.globex.client() as other:
        assert other.post(f"/v1/keys/{made['id']}/preview").status_code == 404
    wrong = client.post("/v1/keys/preview", json={"name": "x", "scopes": ["everything"]})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "unknown_scope")


def test_old_secret__still_used__shows_by_whom_and_its_grace_can_be_extended(
    gateway: Gateway, client: httpx.Client
) -> None:
    made = make(client)
    path = f"/v1/keys/{made['id']}"
    assert client.post(f"{path}/extend-grace").json()["code"] == "no_grace_running"
    renewed = client.post(f"{path}/rotate", json={"grace_s": 3600}).json()

    def used(secret: str, agent: str) -> bool:
        headers = {"authorization": f"Bearer {secret}", "user-agent": agent}
        return httpx.get(f"{gateway.base_url}/v1/me", headers=headers).status_code == 200

    eventually(lambda: used(renewed["secret"], "website/7"))
    assert all(used(made["secret"], "billing-cron/1.2") for _ in range(3))
    assert all(used(renewed["secret"], "website/7") for _ in range(2))
    seen = eventually(
        lambda: (got := client.get(f"{path}/old-secret-uses").json())["calls_24h"] >= 3 and got, within=15
    )
    (caller,) = seen["callers"]
    assert (caller["network"], caller["user_agent"], caller["calls"]) == ("127.0.0.0/24", "billing-cron/1.2", 3)
    assert seen["last_used_at"] == caller["last_used_at"]
    shown = eventually(lambda: (got := client.get(path).json())["calls_24h"] >= 6 and got, within=15)
    assert shown["old_secret_last_used_at"] == seen["last_used_at"]
    assert next(one for one in client.get("/v1/keys").json()["data"] if one["id"] == made["id"])["calls_24h"] >= 6
    extended = client.post(f"{path}/extend-grace", json={"grace_s": 604_800}).json()
    assert extended["old_secret_valid_until"] > renewed["old_secret_valid_until"]
    shorter = client.post(f"{path}/extend-grace", json={"grace_s": 3600}).json()
    assert shorter["old_secret_valid_until"] == extended["old_secret_valid_until"]
    assert client.post(f"{path}/extend-grace", json={"grace_s": 5}).status_code == 422
    client.post(f"{path}/rotate", json={"force": True})
    assert client.get(f"{path}/old-secret-uses").json()["callers"] == []
    with gateway.globex.client() as other:
        assert other.get(f"{path}/old-secret-uses").status_code == 404
        assert other.post(f"{path}/extend-grace").status_code == 404


def test_revocation__with_two_web_processes__is_obeyed_by_each_within_a_second_and_shown(
    gateway: Gateway, client: httpx.Client, second: str
) -> None:
    made = make(client)
    path = f"/v1/keys/{made['id']}"

    def code(address: str) -> str | None:
        headers = {"authorization": f"Bearer {made['secret']}"}
        return httpx.get(f"{address}/v1/me", headers=headers).json().get("code")

    addresses = (gateway.base_url, second)
    assert [code(address) for address in addresses] == [None, None]

    def all_know() -> bool:
        known = client.get(f"{path}/revocation").json()
        return known["obeyed_by_all"] and len(known["workers"]) >= 2

    eventually(all_know, within=10)
    before = client.get(f"{path}/revocation").json()
    assert before["revoked_at"] is None
    began = time.monotonic()
    client.delete(path)
    for address in addresses:
        eventually(lambda address=address: code(address) == "key_revoked", within=1, every=0.01)
    assert time.monotonic() - began < 1
    proof = eventually(lambda: (got := client.get(f"{path}/revocation").json())["obeyed_by_all"] and got, within=5)
    assert proof["version"] > before["version"]
    assert {one["id"] for one in before["workers"]} == {one["id"] for one in proof["workers"]}
    assert len(proof["workers"]) >= 2
    assert all(one["obeys"] and 0 <= one["ms"] <= 1_000 for one in proof["workers"]), proof
    with gateway.globex.client() as other:
        assert other.get(f"{path}/revocation").status_code == 404
