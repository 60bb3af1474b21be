"""Which web pages may call: preflights, answers, errors and streams, for origins of keys and tokens, and no others."""

from __future__ import annotations

import secrets
from typing import Any

import httpx
import pytest

from tests.harness import Gateway

FOR = {"persona_id": "brand-default", "subject_id": "page-ada"}
TURN = {**FOR, "model": "ikiro/sandbox", "messages": [{"role": "user", "content": "Hello."}]}


@pytest.fixture
def origin() -> str:
    """One that no other test uses."""
    return f"https://app-{secrets.token_hex(4)}.example"


def mint(gateway: Gateway, origin: str, **fields: Any) -> str:
    with gateway.acme.client() as client:
        answer = client.post("/v1/tokens", json={**FOR, "origins": [origin], **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def preflight(gateway: Gateway, origin: str, path: str = "/v1/chat", **headers: str) -> httpx.Response:
    asked = {"origin": origin, "access-control-request-method": "POST", **headers}
    return httpx.options(gateway.base_url + path, headers=asked)


def allowed(answer: httpx.Response) -> str | None:
    assert "access-control-allow-credentials" not in answer.headers
    return answer.headers.get("access-control-allow-origin")


def call(gateway: Gateway, credential: str, origin: str | None, path: str = "/v1/me") -> httpx.Response:
    headers = {"authorization": f"Bearer {credential}"} | ({"origin": origin} if origin else {})
    return httpx.get(gateway.base_url + path, headers=headers)


def test_preflight__from_an_origin__passes_once_a_token_is_out_for_it(gateway: Gateway, origin: str) -> None:
    before = preflight(gateway, origin)
    assert (before.status_code, allowed(before)) == (204, None)
    mint(gateway, origin)
    asked = {"access-control-request-headers": "authorization, content-type, x-stainless-lang"}
    after = preflight(gateway, origin, **asked)
    assert (after.status_code, allowed(after), after.content) == (204, origin, b"")
    assert after.headers["access-control-allow-headers"] == "authorization, content-type, x-stainless-lang"
    assert {"GET", "POST", "PATCH", "DELETE"} <= set(after.headers["access-control-allow-methods"].split(", "))
    assert "Origin" in after.headers["vary"]
    assert after.headers["x-request-id"].startswith("req_")
    assert allowed(preflight(gateway, origin.replace("https", "http"))) is None
    assert allowed(preflight(gateway, origin + ":8443")) is None
    assert allowed(preflight(gateway, "null")) is None


def test_preflight__for_an_origin_of_a_key__passes_until_it_is_revoked(gateway: Gateway, origin: str) -> None:
    with gateway.acme.client() as client:
        made = client.post("/v1/keys", json={"name": "page", "origins": [origin.upper().replace("HTTPS", "https")]})
        assert made.json()["origins"] == [origin]
        client.patch(f"/v1/keys/{made.json()['id']}", json={"name": "page of ours"})
        assert allowed(preflight(gateway, origin)) == origin
        client.delete(f"/v1/keys/{made.json()['id']}")
        assert allowed(preflight(gateway, origin)) is None


def test_options__that_is_no_preflight__is_answered_as_ever(gateway: Gateway) -> None:
    answer = httpx.options(f"{gateway.base_url}/v1/chat")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_token__from_its_page__is_answered_so_that_the_page_may_read(gateway: Gateway, origin: str) -> None:
    token = mint(gateway, origin)
    answer = call(gateway, token, origin)
    assert (answer.status_code, allowed(answer)) == (200, origin)
    assert answer.headers["vary"] == "Origin"
    exposed = answer.headers["access-control-expose-headers"]
    for name in ("RateLimit-Remaining", "X-Request-Id", "Retry-After"):
        assert name in exposed
    assert int(answer.headers["ratelimit-remaining"]) >= 0
    refused = call(gateway, token, origin, "/v1/keys")
    assert (refused.status_code, allowed(refused)) == (403, origin)
    assert int(refused.headers["ratelimit-remaining"]) >= 0
    wrong = httpx.post(
        f"{gateway.base_url}/v1/chat", json={}, headers={"authorization": f"Bearer {token}", "origin": origin}
    )
    assert (wrong.status_code, allowed(wrong)) == (422, origin)


@pytest.mark.parametrize("elsewhere", ["https://evil.example", None, "null"])
def test_token__from_anywhere_else__is_refused_and_nothing_is_said_to_the_page(
    gateway: Gateway, origin: str, elsewhere: str | None
) -> None:
    token = mint(gateway, origin)
    answer = call(gateway, token, elsewhere)
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")
    assert allowed(answer) is None
    assert answer.headers["vary"] == "Origin"
    assert any(one.get("code") == "origin_not_allowed" for one in answer.json()["decisions"])


def test_stream__from_its_page__carries_the_same_headers(gateway: Gateway, origin: str) -> None:
    token = mint(gateway, origin)
    for path, body in (
        ("/v1/chat", {**TURN, "stream": True}),
        ("/v1/chat/completions", {"model": "ikiro/sandbox", "messages": TURN["messages"], "stream": True}),
    ):
        headers = {"authorization": f"Bearer {token}", "origin": origin}
        if path != "/v1/chat":
            headers |= {"x-persona-id": FOR["persona_id"], "x-subject-id": FOR["subject_id"]}
        with httpx.stream("POST", gateway.base_url + path, json=body, headers=headers, timeout=30) as answer:
            text = answer.read().decode()
            assert answer.status_code == 200, text
            assert allowed(answer) == origin
        assert answer.headers["content-type"].startswith("text/event-stream")
    with httpx.stream(
        "POST", f"{gateway.base_url}/v1/chat", json={**TURN, "stream": True}, timeout=30,
        headers={"authorization": f"Bearer {token}", "origin": "https://evil.example"},
    ) as answer:  # fmt: skip
        assert (answer.status_code, allowed(answer)) == (403, None)


def test_token__that_has_ended__lets_its_page_read_why(gateway: Gateway, origin: str) -> None:
    token = mint(gateway, origin)
    with gateway.acme.client() as client:
        me = call(gateway, token, origin).json()
        client.delete(f"/v1/tokens/{me['token']['id']}")
    answer = call(gateway, token, origin)
    assert (answer.status_code, answer.json()["code"], allowed(answer)) == (401, "token_ended", origin)
    assert allowed(call(gateway, token, "https://evil.example")) is None


def test_key__with_origins__works_without_one_and_from_those_alone(gateway: Gateway, origin: str) -> None:
    with gateway.acme.client() as client:
        secret = client.post("/v1/keys", json={"name": "page", "origins": [origin]}).json()["secret"]
    assert call(gateway, secret, None).status_code == 200
    page = call(gateway, secret, origin)
    assert (page.status_code, allowed(page)) == (200, origin)
    evil = call(gateway, secret, "https://evil.example")
    assert (evil.status_code, evil.json()["code"], allowed(evil)) == (403, "origin_not_allowed", None)


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "null"])
def test_key__without_origins__says_nothing_to_pages(gateway: Gateway, elsewhere: str) -> None:
    answer = call(gateway, gateway.globex.api_key, elsewhere)
    assert (answer.status_code, allowed(answer)) == (200, None)
    strange = call(gateway, "ik_live_nonsense", elsewhere)
    assert (strange.status_code, allowed(strange)) == (401, None)
