"""The console's calls: as whom they are made, what is kept of them, and what is never shown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from django.test import RequestFactory

from console.gateway import AccountsClient, ApiError, Call, GatewayClient, GatewayDown, tokens
from console.gateway.calls import masked
from console.session import Session
from tests.console.scripted import Asked, Scripted, problem


def _request(home: str | None = "acme", **headers: str) -> Any:
    request: Any = RequestFactory().get("/o/acme/", headers=headers, REMOTE_ADDR="203.0.113.7")
    request.visit = Session(f"session-{home}" if home else None, home is not None)
    request.page_id, request.api_calls = "page_0123456789", []
    return request


def _run(work: Callable[[], Awaitable[Any]]) -> Any:
    async def inside() -> Any:
        return await work()

    return asyncio.run(inside())


def test_call__goes_as_the_person__and_is_recorded(scripted: Scripted) -> None:
    request = _request()
    scripted.on("GET", "/v1/keys", (200, {"data": [{"id": "key_1"}], "next_cursor": "c"}))
    found = _run(lambda: GatewayClient(request, "acme").get("/v1/keys", limit=5, cursor=None, q=""))
    assert (found.rows, found.next_cursor) == ([{"id": "key_1"}], "c")
    asked = scripted.asked("/v1/keys")[0]
    assert asked.query == {"limit": "5"}
    assert asked.headers["authorization"] == "Bearer token.acme.acme"
    assert asked.headers["x-request-id"] == "page_0123456789"
    noted = request.api_calls[0]
    assert (noted.method, noted.path, noted.query, noted.status) == ("GET", "/v1/keys", {"limit": 5}, 200)
    assert noted.request_id == "req_scripted"


def test_call__its_statement_of_the_address__is_believed_by_the_gateway(scripted: Scripted, settings: Any) -> None:
    from tenants.accounts.address import client_address

    settings.IKIRO_TRUSTED_PROXIES = 0
    _run(lambda: GatewayClient(_request(), "acme").get("/v1/limits"))
    said = scripted.asked("/v1/limits")[0].headers["x-ikiro-console"]
    genuine = RequestFactory().get("/", headers={"X-Ikiro-Console": said})
    forged = RequestFactory().get("/", headers={"X-Ikiro-Console": said.replace("203", "204")})
    assert client_address(genuine) == "203.0.113.7"
    assert client_address(forged) == "127.0.0.1"


@pytest.mark.parametrize(("proxies", "address"), [(0, "203.0.113.7"), (1, "198.51.100.2"), (2, "198.51.100.1")])
def test_call__address_of_the_person__is_what_our_own_proxies_say(
    proxies: int, address: str, scripted: Scripted, settings: Any
) -> None:
    settings.IKIRO_TRUSTED_PROXIES = proxies
    request = _request(**{"X-Forwarded-For": "198.51.100.1, 198.51.100.2"})
    _run(lambda: GatewayClient(request, "acme").get("/v1/limits"))
    assert scripted.asked("/v1/limits")[0].headers["x-forwarded-for"] == address


def test_token__of_a_person__is_asked_for_once_per_organization(scripted: Scripted) -> None:
    request = _request()

    async def work() -> None:
        for _ in range(3):
            await GatewayClient(request, "acme").get("/v1/limits")
            await GatewayClient(request, None).get("/v1/organizations")

    _run(work)
    assert [call.body["organization"] for call in scripted.asked("/v1/auth/token")] == ["acme", None]


def test_token__with_less_than_a_minute_left__is_made_anew(scripted: Scripted) -> None:
    scripted.token_lifetime = 60
    request = _request()

    async def work() -> None:
        await GatewayClient(request, "acme").get("/v1/limits")
        await GatewayClient(request, "acme").get("/v1/limits")

    _run(work)
    assert len(scripted.asked("/v1/auth/token")) == 2


def test_token__of_two_people__is_never_shared(scripted: Scripted) -> None:
    _run(lambda: GatewayClient(_request("acme"), "acme").get("/v1/limits"))
    with pytest.raises(ApiError) as refused:
        _run(lambda: GatewayClient(_request("globex"), "acme").get("/v1/limits"))
    assert (refused.value.status, refused.value.code) == (404, "organization_not_found")
    assert len(scripted.asked("/v1/limits")) == 1


def test_token__refused_early__is_replaced_and_the_call_made_again(scripted: Scripted) -> None:
    answers = iter([problem(401, "token_expired"), (200, {"spent_micros": 1})])
    scripted.on("GET", "/v1/limits", lambda _: next(answers))
    found = _run(lambda: GatewayClient(_request(), "acme").get("/v1/limits"))
    assert found["spent_micros"] == 1
    assert len(scripted.asked("/v1/auth/token")) == 2


def test_token__refused_twice__is_the_answer(scripted: Scripted) -> None:
    scripted.on("GET", "/v1/limits", problem(401, "session_invalid"))
    with pytest.raises(ApiError) as refused:
        _run(lambda: GatewayClient(_request(), "acme").get("/v1/limits"))
    assert refused.value.status == 401
    assert len(scripted.asked("/v1/limits")) == 2


def test_tokens__kept__are_bounded(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_MOST", 1)

    async def work() -> None:
        await GatewayClient(_request(), "acme").get("/v1/limits")
        await GatewayClient(_request(), None).get("/v1/limits")

    _run(work)
    assert len(tokens._tokens) == 1


def test_call__without_a_session__makes_no_call(scripted: Scripted) -> None:
    with pytest.raises(ApiError) as refused:
        _run(lambda: GatewayClient(_request(None), "acme").get("/v1/limits"))
    assert refused.value.code == "session_invalid"
    assert scripted.calls == []


def test_post__twice_with_one_idempotency_key__sends_it(scripted: Scripted) -> None:
    scripted.on("POST", "/v1/keys", (201, {"id": "key_1"}))
    _run(lambda: GatewayClient(_request(), "acme").post("/v1/keys", {"name": "ci"}, idempotency_key="once"))
    assert scripted.asked("/v1/keys")[0].headers["idempotency-key"] == "once"


def test_delete__with_a_body__sends_it(scripted: Scripted) -> None:
    scripted.on("DELETE", "/v1/members/usr_1", (200, {"removed": "usr_1"}))
    _run(lambda: GatewayClient(_request(), "acme").delete("/v1/members/usr_1", hand_over_to="usr_2"))
    assert scripted.asked("/v1/members/usr_1")[0].query == {"hand_over_to": "usr_2"}


def test_refusal__with_fields__names_them(scripted: Scripted) -> None:
    fields = [{"pointer": "#/name", "code": "too_long", "message": "At most 100."}]
    scripted.on("POST", "/v1/keys", problem(422, "invalid_request", errors=fields))
    with pytest.raises(ApiError) as refused:
        _run(lambda: GatewayClient(_request(), "acme").post("/v1/keys", {}))
    error = refused.value
    assert [(one.field, one.message) for one in error.problems] == [("name", "At most 100.")]
    assert (error.status, error.code, error.request_id) == (422, "invalid_request", "req_scripted")


def test_stream__of_events__arrives_in_order(scripted: Scripted) -> None:
    body = b'event: delta\ndata: {"text": "Hel"}\n\ndata: {"text": "lo"}\n\n: ping\n\ndata: [DONE]\n\n'
    scripted.on("POST", "/v1/chat", (200, body, {"content-type": "text/event-stream"}))

    async def work() -> list[Any]:
        return [event async for event in GatewayClient(_request(), "acme").stream("/v1/chat", {"stream": True})]

    assert _run(work) == [("delta", {"text": "Hel"}), ("message", {"text": "lo"}), ("message", "[DONE]")]


def test_stream__refused__raises_before_the_first_event(scripted: Scripted) -> None:
    scripted.on("POST", "/v1/chat", problem(402, "quota_exceeded"))

    async def work() -> list[Any]:
        return [event async for event in GatewayClient(_request(), "acme").stream("/v1/chat", {})]

    with pytest.raises(ApiError) as refused:
        _run(work)
    assert refused.value.code == "quota_exceeded"


@pytest.mark.parametrize("body", [b"", b"<html>", b'"text"', b"[", b"{}"])
def test_answer__not_of_the_api__is_no_answer(body: bytes, scripted: Scripted) -> None:
    scripted.on("GET", "/v1/limits", (500, body))
    with pytest.raises(GatewayDown):
        _run(lambda: GatewayClient(_request(), "acme").get("/v1/limits"))


def test_masked__secret_fields_anywhere__are_blanked() -> None:
    sent = {"name": "p", "api_key": "sk-secret", "more": [{"password": "x", "token": None, "code": ""}]}
    shown = masked(sent)
    assert shown == {"name": "p", "api_key": "••••", "more": [{"password": "••••", "token": None, "code": ""}]}
    assert sent["api_key"] == "sk-secret"


def test_snippets__of_a_call__are_runnable_code() -> None:
    call = Call("POST", "/v1/keys", {"a": "b c"}, {"name": "it's", "on": True, "none": None}, base_url="http://g")
    snippets = dict(call.snippets)
    assert snippets["curl"].startswith("curl 'http://g/v1/keys?a=b+c' \\\n")
    assert "$IKIRO_API_KEY" in snippets["curl"]
    compile(snippets["python"], "snippet", "exec")
    assert "json={'name': \"it's\", 'on': True, 'none': None}" in snippets["python"]
    assert json.dumps("http://g/v1/keys?a=b+c") in snippets["typescript"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_snippets__of_each_method__name_it(method: str) -> None:
    body = {"x": 1} if method in {"PUT", "PATCH"} else None
    snippets = dict(Call(method, "/v1/x", {}, body, base_url="http://g").snippets)
    assert method == "GET" or method in snippets["curl"]
    assert f"httpx.{method.lower()}(" in snippets["python"]
    compile(snippets["python"], "snippet", "exec")


def _accounts(request: Any, method: str, path: str, body: Any = None) -> Any:
    return _run(lambda: getattr(AccountsClient(request), method)(path, *([body] if body is not None else [])))


def test_accounts__a_step_that_is_open__is_no_error_and_keeps_the_token(scripted: Scripted) -> None:
    flows = [{"id": "login"}, {"id": "mfa_authenticate", "is_pending": True, "types": ["totp"]}]
    body = {"data": {"flows": flows}, "meta": {"is_authenticated": False, "session_token": "half"}, "status": 401}
    scripted.on("POST", "/_allauth/app/v1/auth/login", (401, body))
    request = _request(None)
    answer = _accounts(request, "post", "auth/login", {"email": "owner@acme.example", "password": "x"})
    assert (answer.status, answer.ok, answer.pending) == (401, False, "mfa_authenticate")
    assert (request.visit.token, request.visit.signed_in) == ("half", False)
    assert request.api_calls == []  # nothing of a sign-in shows in the API drawer


def test_accounts__complete__is_signed_in(scripted: Scripted) -> None:
    def answer(asked: Asked) -> Any:
        assert asked.headers["x-session-token"] == "half"
        return 200, {"data": {"user": {}}, "meta": {"is_authenticated": True}}

    scripted.on("POST", "/_allauth/app/v1/auth/2fa/authenticate", answer)
    request = _request(None)
    request.visit.token = "half"
    assert _accounts(request, "post", "auth/2fa/authenticate", {"code": "123456"}).ok
    assert (request.visit.token, request.visit.signed_in) == ("half", True)


def test_accounts__session_gone__forgets_it(scripted: Scripted) -> None:
    scripted.on("GET", "/_allauth/app/v1/auth/session", (410, {"status": 410}))
    request = _request()
    assert _accounts(request, "get", "auth/session").status == 410
    assert (request.visit.token, request.visit.signed_in) == (None, False)


def test_accounts__too_many_attempts__says_how_long(scripted: Scripted) -> None:
    errors = [{"code": "locked_out", "message": "Locked until 14:05.", "until": "2026-01-01T00:00:00Z"}]
    scripted.on("POST", "/_allauth/app/v1/auth/login", (429, {"status": 429, "errors": errors}, {"retry-after": "60"}))
    answer = _accounts(_request(None), "post", "auth/login", {})
    assert (answer.status, answer.retry_after, answer.errors[0]["code"]) == (429, 60.0, "locked_out")


def test_accounts__broken__is_no_answer(scripted: Scripted) -> None:
    scripted.on("GET", "/_allauth/app/v1/config", (500, b"<h1>Server Error</h1>"))
    with pytest.raises(GatewayDown):
        _accounts(_request(None), "get", "config")
