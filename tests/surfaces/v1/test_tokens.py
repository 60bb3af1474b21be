"""Capability tokens over HTTP: what they open, what they do not, and how they end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest

from tests.factories.people import People, committed_database, people
from tests.harness import Gateway, eventually

__all__ = ["committed_database", "people"]
FOR = {"persona_id": "brand-default", "subject_id": "token-ada"}


@pytest.fixture
def client(gateway: Gateway) -> Iterator[httpx.Client]:
    with gateway.acme.client() as client:
        yield client


def key(client: httpx.Client, **limits: Any) -> dict[str, Any]:
    answer = client.post("/v1/keys", json={"name": "mints", **limits})
    assert answer.status_code == 201, answer.text
    return answer.json()


def mint(gateway: Gateway, secret: str, **fields: Any) -> httpx.Response:
    with gateway.acme.client(secret) as client:
        return client.post("/v1/tokens", json={**FOR, **fields})


def turn(**fields: Any) -> dict[str, Any]:
    return {**FOR, "model": "ikiro/sandbox", "messages": [{"role": "user", "content": "Hello."}], **fields}


def test_token__made_by_a_key__speaks_for_its_one_persona_and_subject_alone(
    gateway: Gateway, client: httpx.Client
) -> None:
    made = mint(gateway, gateway.acme.api_key, ttl=60)
    assert made.status_code == 201, made.text
    token = made.json()
    assert token["id"].startswith("tok_")
    assert (token["scopes"], token["persona_id"], token["subject_id"]) == (["chat"], *FOR.values())
    assert jwt.get_unverified_header(token["token"])["alg"] == "EdDSA"
    with gateway.acme.client(token["token"]) as bearer:
        answer = bearer.post("/v1/chat", json=turn())
        assert answer.status_code == 200, answer.text
        compat = {"x-persona-id": "brand-default", "x-subject-id": "token-ada"}
        said = {"model": "ikiro/sandbox", "messages": [{"role": "user", "content": "Hi"}]}
        assert bearer.post("/v1/chat/completions", json=said, headers=compat).status_code == 200
        assert bearer.post("/v1/chat/completions", json=said).status_code == 403  # the bare model is for no persona
        for body, code in (
            (turn(subject_id="token-grace"), "subject_not_allowed"),
            (turn(persona_id="somebody-else"), "persona_not_allowed"),
        ):
            refused = bearer.post("/v1/chat", json=body)
            assert (refused.status_code, refused.json()["code"]) == (403, code)
        for method, path in (
            ("GET", "/v1/memories?subject_id=token-ada"), ("GET", "/v1/keys"), ("POST", "/v1/keys"),
            ("POST", "/v1/tokens"), ("GET", "/v1/audit"), ("GET", "/v1/personas"),
        ):  # fmt: skip
            refused = bearer.request(method, path, json={} if method == "POST" else None)
            assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing"), path
        for path in ("/v1/limits", "/v1/onboarding", "/v1/capabilities"):
            refused = bearer.get(path)
            assert (refused.status_code, refused.json()["code"]) == (403, "token_not_allowed"), path
        assert bearer.get("/v1/account").json()["code"] == "user_token_required"
        me = bearer.get("/v1/me").json()
        assert (me["organization"]["slug"], me["key"], me["user"]) == ("acme", None, None)
        assert me["token"]["id"] == token["id"]
    listed = eventually(lambda: client.get(f"/v1/requests/{answer.json()['request_id']}").json().get("key_id"))
    assert listed == client.get("/v1/me").json()["key"]["id"]


def test_token__made__is_audited_by_its_id_and_never_by_its_text(gateway: Gateway, client: httpx.Client) -> None:
    token = mint(gateway, gateway.acme.api_key).json()
    with gateway.acme.client(token["token"]) as bearer:
        bearer.get("/v1/keys")  # refused

    def told() -> set[str]:
        found = client.get("/v1/audit?limit=200")
        assert token["token"] not in found.text
        assert token["token"].rpartition(".")[2] not in found.text
        return {one["action"] for one in found.json()["data"] if one["target"] == token["id"]}

    eventually(lambda: "token.created" in told(), within=15)
    with gateway.globex.client() as other:
        assert token["id"] not in other.get("/v1/audit?limit=200").text


@pytest.mark.parametrize(
    ("limits", "asked", "field"),
    [
        ({"scopes": ["tokens:write"]}, {}, "scopes"),
        ({"scopes": ["chat", "tokens:write"]}, {"scopes": ["chat", "memories:read"]}, "scopes"),
        ({"persona_ids": ["other"]}, {}, "persona_ids"),
        ({"subject_ids": ["grace"]}, {}, "subject_ids"),
        ({"memory_scopes": ["work"]}, {"memory_scopes": ["home"]}, "memory_scopes"),
        ({"models": ["openai/*"]}, {"models": ["ikiro/sandbox"]}, "models"),
        ({"origins": ["https://a.example"]}, {"origins": ["https://b.example"]}, "origins"),
        ({"budget": {"limit_micros": 5, "window": "day"}}, {"budget": 6}, "budget"),
    ],
)
def test_token__wider_than_its_key__is_refused(
    gateway: Gateway, client: httpx.Client, limits: dict, asked: dict, field: str
) -> None:
    refused = mint(gateway, key(client, **limits)["secret"], **asked)
    assert (refused.status_code, refused.json()["code"]) == (403, "token_too_wide"), refused.text
    assert refused.json()["field"] == field
    assert "token" not in refused.json()


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"ttl": 901}, "#/ttl"),
        ({"ttl": 0}, "#/ttl"),
        ({"scopes": ["chat", "keys:write"]}, "#/scopes/1"),
        ({"scopes": []}, "#/scopes"),
        ({"origins": ["*"]}, "#/origins/0"),
        ({"models": ["*"]}, "#/models/0"),
        ({"budget": 0}, "#/budget"),
        ({"surprise": 1}, "#/surprise"),
    ],
)
def test_token__asked_for_wrongly__is_refused_by_its_field(gateway: Gateway, asked: dict, pointer: str) -> None:
    refused = mint(gateway, gateway.acme.api_key, **asked)
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["pointer"] == pointer


def test_token__asked_for_by_a_person_or_a_narrow_key__is_refused(
    gateway: Gateway, client: httpx.Client, people: People
) -> None:
    owner = people.client(people.member("owner"), people.acme)
    refused = owner.post("/v1/tokens", json=FOR)
    assert (refused.status_code, refused.json()["code"]) == (403, "key_required")
    narrow = mint(gateway, key(client, scopes=["chat"])["secret"])
    assert (narrow.status_code, narrow.json()["code"]) == (403, "scope_missing")


def test_token__narrowed_to_models__cannot_ask_another(gateway: Gateway) -> None:
    token = mint(gateway, gateway.acme.api_key, models=["openai/gpt-4o-mini"]).json()["token"]
    with gateway.acme.client(token) as bearer:
        refused = bearer.post("/v1/chat", json=turn())
        assert (refused.status_code, refused.json()["code"]) == (403, "model_not_allowed"), refused.text


def test_token__with_a_budget__spends_no_more_than_it_and_its_key_goes_on(gateway: Gateway) -> None:
    asked = {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50}
    token = mint(gateway, gateway.acme.api_key, budget=1).json()["token"]
    headers = {"x-persona-id": FOR["persona_id"], "x-subject-id": FOR["subject_id"]}
    with gateway.acme.client(token) as bearer:
        refused = bearer.post("/v1/chat/completions", json=asked, headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (402, "budget_exceeded"), refused.text
    richer = mint(gateway, gateway.acme.api_key, budget=1_000_000).json()["token"]
    with gateway.acme.client(richer) as bearer:
        assert bearer.post("/v1/chat/completions", json=asked, headers=headers).status_code == 200


def test_token__ended_or_all_of_its_key__is_refused_within_a_second(gateway: Gateway, client: httpx.Client) -> None:
    maker = key(client)
    one, two, three = (mint(gateway, maker["secret"]).json() for _ in range(3))

    def code(token: dict[str, Any]) -> str | None:
        headers = {"authorization": f"Bearer {token['token']}"}
        return httpx.get(f"{gateway.base_url}/v1/me", headers=headers).json().get("code")

    assert [code(token) for token in (one, two, three)] == [None] * 3
    with gateway.globex.client() as other:
        assert other.delete(f"/v1/tokens/{one['id']}").status_code == 200
        assert other.post(f"/v1/keys/{maker['id']}/revoke-tokens").status_code == 404
    assert [code(token) for token in (one, two, three)] == [None] * 3
    ended = client.delete(f"/v1/tokens/{one['id']}")
    assert ended.status_code == 200
    began = time.monotonic()
    eventually(lambda: code(one) == "token_ended", within=1, every=0.02)
    assert time.monotonic() - began < 1
    assert client.delete(f"/v1/tokens/{one['id']}").json() == ended.json()
    assert [code(two), code(three)] == [None, None]
    assert client.post(f"/v1/keys/{maker['id']}/revoke-tokens").status_code == 200
    eventually(lambda: (code(two), code(three)) == ("token_ended",) * 2, within=1, every=0.02)
    again = mint(gateway, maker["secret"]).json()
    assert code(again) is None
    client.delete(f"/v1/keys/{maker['id']}")
    eventually(lambda: code(again) == "key_revoked", within=1, every=0.02)
    assert client.delete("/v1/tokens/tok_nonsense").status_code == 404


def test_token__after_its_time__is_refused_with_the_reason(gateway: Gateway) -> None:
    token = mint(gateway, gateway.acme.api_key, ttl=1).json()["token"]
    with gateway.acme.client(token) as bearer:
        assert bearer.get("/v1/me").status_code == 200
        refused = eventually(lambda: (got := bearer.get("/v1/me")).status_code == 401 and got, within=5)
    assert refused.json()["code"] == "token_expired"
