"""The official Anthropic client for Python when something goes wrong: its own exception classes, no endless wait."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import anthropic
import httpx
import pytest

from tests.contract.clients.support import USER, WIRES, anthropic_client, seen, tagged
from tests.harness import Gateway, Org, eventually

DRIP = "delay,chunks=400,pace_ms=25"  # ten seconds of answer


@pytest.fixture(params=["plain", "persona"])
def subject(request: pytest.FixtureRequest) -> str | None:
    return f"python-{uuid4().hex[:12]}" if request.param == "persona" else None


def asked(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 100, "messages": [USER], **more}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "more", "kind", "error_type"),
    [
        ("nobody/nothing", {}, anthropic.NotFoundError, "not_found_error"),
        ("openai/fake:status,code=404", {}, anthropic.NotFoundError, "not_found_error"),
        ("ikiro/sandbox", {"messages": []}, anthropic.BadRequestError, "invalid_request_error"),
        ("ikiro/sandbox", {"max_tokens": 0}, anthropic.BadRequestError, "invalid_request_error"),
        ("openai/fake:status,code=400", {}, anthropic.BadRequestError, "invalid_request_error"),
        ("anthropic/fake:status,code=400", {}, anthropic.BadRequestError, "invalid_request_error"),
        ("anthropic/fake:status,code=429", {}, anthropic.RateLimitError, "rate_limit_error"),
        ("anthropic/fake:status,code=401", {}, anthropic.InternalServerError, "api_error"),
        ("anthropic/fake:status,code=529", {}, anthropic.OverloadedError, "overloaded_error"),
        ("anthropic/fake:error-first", {}, anthropic.OverloadedError, "overloaded_error"),
        ("openai/fake:non-json", {}, anthropic.InternalServerError, "api_error"),
    ],
)
def test_refusal__of_each_kind__is_the_clients_own_class(
    front: Gateway, model: str, more: dict[str, Any], kind: Any, error_type: str, subject: str | None, stream: bool
) -> None:
    with anthropic_client(front.acme, subject) as ai, pytest.raises(kind) as raised:
        ai.messages.create(**{**asked(model), "stream": stream, **more})
    error = raised.value
    assert error.body["error"]["type"] == error_type
    assert error.request_id == error.response.headers["request-id"] == error.body["request_id"]


def test_refusal__of_a_key__is_authentication(front: Gateway) -> None:
    forged = front.acme.api_key[:-1] + ("0" if front.acme.api_key[-1] != "0" else "1")
    org = Org("acme", forged, front.acme.base_url)
    with anthropic_client(org) as ai, pytest.raises(anthropic.AuthenticationError) as raised:
        ai.messages.create(**asked("ikiro/sandbox"))
    assert raised.value.body["error"]["type"] == "authentication_error"  # type: ignore[index, call-overload]


def test_body__over_the_limit__is_too_large(front: Gateway) -> None:
    with anthropic_client(front.acme) as ai, pytest.raises(anthropic.APIStatusError) as raised:
        ai.messages.create(**asked("ikiro/sandbox", messages=[{"role": "user", "content": "a" * 33_600_000}]))
    assert raised.value.status_code == 413
    assert raised.value.body["error"]["type"] == "request_too_large"  # type: ignore[index, call-overload]


@pytest.mark.parametrize("version", [None, "2031-01-01"])
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_version__missing_or_unknown__is_a_bad_request(front: Gateway, version: str | None, path: str) -> None:
    headers = {"x-api-key": front.acme.api_key} | ({"anthropic-version": version} if version else {})
    answer = httpx.post(front.base_url + path, headers=headers, json=asked("ikiro/sandbox"))
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert "anthropic-version" in answer.json()["error"]["message"]


@pytest.mark.parametrize("model", ["ikiro/sandbox", "openai/fake:normal"])
def test_sampling__of_an_older_version__is_refused_in_the_newest_and_taken_in_the_older(
    front: Gateway, model: str
) -> None:
    statuses = [
        httpx.post(
            f"{front.base_url}/v1/messages",
            headers={"x-api-key": front.acme.api_key, "anthropic-version": version},
            json=asked(model, temperature=0.5),
        ).status_code
        for version in ("2026-10-21", "2023-06-01")
    ]
    assert statuses == [400, 200]


def test_hosted_tools__on_the_gateways_credential__are_refused_by_name(front: Gateway, upstream: Any) -> None:
    _, tag = tagged("")
    tools: Any = [{"type": "web_search_20250305", "name": "web_search"}]
    with anthropic_client(front.acme) as ai, pytest.raises(anthropic.BadRequestError, match="web_search"):
        ai.messages.create(**asked(f"anthropic/fake:normal,tag={tag}", tools=tools))
    assert seen(upstream, tag) == []


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("scenario", ["error-mid", "cut", "break"])
def test_provider__breaks_off_in_the_middle__raises_and_never_finishes(
    front: Gateway, wire: str, scenario: str, subject: str | None
) -> None:
    events: list[Any] = []
    with anthropic_client(front.acme, subject) as ai, pytest.raises(anthropic.APIStatusError) as raised:
        events.extend(ai.messages.create(**asked(f"{wire}/fake:{scenario}"), stream=True))
    assert events[0].type == "message_start"
    if subject is None:  # what a persona says first may still be held back, to be masked with what follows
        assert "content_block_delta" in {event.type for event in events}
    assert not {event.type for event in events} & {"message_delta", "message_stop"}
    assert raised.value.body["error"]["type"] in ("api_error", "overloaded_error")  # type: ignore[index, call-overload]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("stream", [True, False])
def test_client__hangs_up__reaches_the_provider_within_three_seconds(
    front: Gateway, upstream: Any, wire: str, subject: str | None, stream: bool
) -> None:
    model, tag = tagged(f"{wire}/fake:{DRIP}" if stream else f"{wire}/fake:normal,delay_ms=10000")
    with anthropic_client(front.acme, subject, timeout=20 if stream else 0.7) as ai:
        if stream:
            with ai.messages.create(**asked(model), stream=True) as events:
                for _ in range(4):
                    next(events)
        else:
            with pytest.raises(anthropic.APITimeoutError):
                ai.messages.create(**asked(model))
        left = time.monotonic()
        (call,) = eventually(lambda: [one for one in seen(upstream, tag) if one["disconnected"]], within=3)
    assert time.monotonic() - left < 3
    assert not call["finished"]


def test_batches__are_not_kept_here__and_it_says_so(front: Gateway) -> None:
    with anthropic_client(front.acme) as ai, pytest.raises(anthropic.NotFoundError, match="one by one"):
        ai.messages.batches.list()
