"""The official Python client when something goes wrong: its own exception classes, its own retries, no endless wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import openai
import pytest

from tests.contract.clients.support import USER, WIRES, async_client, client, seen, tagged
from tests.harness import Gateway, Org, eventually

DRIP = "delay,chunks=400,pace_ms=25"  # ten seconds of answer


@pytest.fixture(params=["plain", "persona"])
def subject(request: pytest.FixtureRequest) -> str | None:
    return f"python-{uuid4().hex[:12]}" if request.param == "persona" else None


@pytest.fixture(scope="module")
def keys(front: Gateway) -> Iterator[dict[str, Org]]:
    """A key that may not chat, one that is narrowed to a person, and none at all."""
    acme = front.acme
    with acme.client() as http:
        wanted: dict[str, Any] = {"no chat": {"scopes": ["personas:read"]}, "narrow": {"subject_ids": ["only-me"]}}
        made = {
            name: http.post("/v1/keys", json={"name": name, **fields}).raise_for_status().json()
            for name, fields in wanted.items()
        }
        orgs = {name: Org("acme", key["secret"], acme.base_url) for name, key in made.items()}
        forged = acme.api_key[:-1] + ("0" if acme.api_key[-1] != "0" else "1")
        yield {**orgs, "good": acme, "forged": Org("acme", forged, acme.base_url)}
        for key in made.values():
            http.delete(f"/v1/keys/{key['id']}")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("key", "model", "more", "kind", "code"),
    [
        ("forged", "ikiro/sandbox", {}, openai.AuthenticationError, "key_malformed"),
        ("no chat", "ikiro/sandbox", {}, openai.PermissionDeniedError, "scope_missing"),
        ("narrow", "ikiro/sandbox", {}, openai.PermissionDeniedError, "subject_not_allowed"),
        ("good", "nobody/nothing", {}, openai.NotFoundError, "model_not_found"),
        ("good", "openai/fake:status,code=404", {}, openai.NotFoundError, "model_not_found"),
        ("good", "ikiro/sandbox", {"messages": []}, openai.BadRequestError, "invalid_request"),
        ("good", "ikiro/sandbox", {"max_tokens": -1}, openai.BadRequestError, "invalid_request"),
        ("good", "openai/fake:status,code=400", {}, openai.BadRequestError, "upstream_rejected"),
        ("good", "anthropic/fake:status,code=400", {}, openai.BadRequestError, "upstream_rejected"),
        ("good", "openai/fake:status,code=429", {}, openai.RateLimitError, "upstream_rate_limited"),
        ("good", "openai/fake:status,code=401", {}, openai.InternalServerError, "provider_auth_failed"),
        ("good", "anthropic/fake:status,code=401", {}, openai.InternalServerError, "provider_auth_failed"),
        ("good", "openai/fake:status,code=500", {}, openai.InternalServerError, "upstream_error"),
        ("good", "anthropic/fake:status,code=529", {}, openai.InternalServerError, "upstream_overloaded"),
        ("good", "openai/fake:non-json", {}, openai.InternalServerError, None),
        ("good", "openai/fake:error-first", {}, openai.InternalServerError, None),
    ],
)
def test_refusal__of_each_kind__is_the_clients_own_class(
    keys: dict[str, Org], key: str, model: str, more: dict[str, Any], kind: Any, code: str | None, subject: str | None,
    stream: bool,
) -> None:  # fmt: skip
    asked: dict[str, Any] = {"model": model, "messages": [USER], "stream": stream, **more}
    with client(keys[key], subject) as ai, pytest.raises(kind) as raised:
        ai.chat.completions.create(**asked)
    error = raised.value
    if code is not None:
        assert error.code == code
    assert error.request_id == error.response.headers["x-request-id"]
    assert error.type
    assert str(error.status_code) in str(error)


def test_refusal__by_headers_of_ours__is_a_bad_request_that_names_them(front: Gateway) -> None:
    with client(front.acme) as ai:
        with pytest.raises(openai.BadRequestError, match="x-subject-id") as raised:
            ai.chat.completions.create(
                model="ikiro/sandbox", messages=[USER], extra_headers={"x-persona-id": "brand-default"}
            )
        assert raised.value.param == "subject_id"
        with pytest.raises(openai.BadRequestError) as raised:
            ai.chat.completions.create(
                model="ikiro/sandbox", messages=[USER], n=2,
                extra_body={"persona_id": "brand-default", "subject_id": "ada"},
            )  # fmt: skip
        assert (raised.value.param, raised.value.code) == ("n", "unsupported_parameter")


def test_conflict__is_not_tried_again(front: Gateway) -> None:
    subject = f"python-{uuid4().hex[:12]}"
    with front.acme.client() as http:
        cartridge = http.get("/v1/personas/brand-default").json()["cartridge"]
        other = {**cartridge, "id": f"other-{subject}"}
        http.post("/v1/personas", json={"cartridge": other}).raise_for_status()
        with client(front.acme, subject, max_retries=2) as ai:
            first: Any = ai.chat.completions.create(model="ikiro/sandbox", messages=[USER])
            body = {"conversation_id": first.model_extra["conversation_id"]}
            with pytest.raises(openai.ConflictError) as raised:
                ai.chat.completions.create(
                    model="ikiro/sandbox", messages=[USER], extra_body=body, extra_headers={"x-persona-id": other["id"]}
                )
            assert raised.value.code == "conversation_pinned"
            assert raised.value.response.request.headers["x-stainless-retry-count"] == "0"


def test_body__over_the_limit__is_413(front: Gateway) -> None:
    with client(front.acme) as ai, pytest.raises(openai.APIStatusError) as raised:
        ai.chat.completions.create(model="ikiro/sandbox", messages=[{"role": "user", "content": "a" * 33_600_000}])
    assert (raised.value.status_code, raised.value.code) == (413, "body_too_large")


@pytest.mark.parametrize("wire", WIRES)
def test_retry_after__of_the_provider__is_waited_for_by_the_client(front: Gateway, upstream: Any, wire: str) -> None:
    model, tag = tagged(f"{wire}/fake:flaky,code=429,retry_after=1")
    started = time.monotonic()
    with client(front.acme, max_retries=1) as ai:
        answer = ai.chat.completions.create(model=model, messages=[USER])
    assert answer.choices[0].message.content
    assert 0.9 < time.monotonic() - started < 5
    assert len(seen(upstream, tag)) == 2


def test_provider_credentials__refused__are_not_tried_again(front: Gateway, upstream: Any) -> None:
    model, tag = tagged("openai/fake:status,code=401")
    with client(front.acme, max_retries=3) as ai, pytest.raises(openai.InternalServerError):
        ai.chat.completions.create(model=model, messages=[USER])
    assert len(seen(upstream, tag)) == 1


@pytest.mark.parametrize("scenario", ["stall-first", "stall"])
def test_provider__falls_silent__is_an_error_and_no_wait(front: Gateway, scenario: str) -> None:
    async def ask(wire: str, subject: str | None) -> Any:
        async with async_client(front.acme, subject) as ai:
            with pytest.raises(openai.APIError) as raised:
                asked: Any = {"model": f"{wire}/fake:{scenario}", "messages": [USER], "stream": True}
                async for _ in await ai.chat.completions.create(**asked):
                    continue
            return raised.value

    async def run() -> list[Any]:
        return await asyncio.gather(*(ask(wire, subject) for wire in WIRES for subject in (None, f"silent-{uuid4()}")))

    started = time.monotonic()
    errors = asyncio.run(run())
    assert time.monotonic() - started < 20
    assert {error.code for error in errors} <= {"upstream_timeout", "upstream_stalled"}
    assert {isinstance(error, openai.InternalServerError) for error in errors} == {scenario == "stall-first"}


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("scenario", ["error-mid", "cut", "break"])
def test_provider__breaks_off_in_the_middle__raises_and_never_finishes(
    front: Gateway, wire: str, scenario: str, subject: str | None
) -> None:
    chunks: list[Any] = []
    with client(front.acme, subject) as ai, pytest.raises(openai.APIError) as raised:
        chunks.extend(ai.chat.completions.create(model=f"{wire}/fake:{scenario}", messages=[USER], stream=True))
    assert chunks
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == []
    assert not isinstance(raised.value, openai.APIConnectionError)
    assert raised.value.code


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("stream", [True, False])
def test_client__hangs_up__reaches_the_provider_within_three_seconds(
    front: Gateway, upstream: Any, wire: str, subject: str | None, stream: bool
) -> None:
    model, tag = tagged(f"{wire}/fake:{DRIP}" if stream else f"{wire}/fake:normal,delay_ms=10000")
    with client(front.acme, subject, timeout=20 if stream else 0.7) as ai:
        if stream:
            with ai.chat.completions.create(model=model, messages=[USER], stream=True) as answer:
                for _ in range(3):
                    next(answer)
        else:
            with pytest.raises(openai.APITimeoutError):
                ai.chat.completions.create(model=model, messages=[USER])
        left = time.monotonic()
        (call,) = eventually(lambda: [one for one in seen(upstream, tag) if one["disconnected"]], within=3)
    assert time.monotonic() - left < 3
    assert not call["finished"]


@pytest.mark.parametrize("path", ["completions", "moderations", "files"])
def test_other_surfaces_of_openai__say_what_there_is(front: Gateway, path: str) -> None:
    with client(front.acme) as ai, pytest.raises(openai.NotFoundError, match="/v1/chat/completions"):
        if path == "moderations":
            ai.moderations.create(model="ikiro/sandbox", input="hello")
        elif path == "files":
            ai.files.list()
        else:
            ai.completions.create(model="ikiro/sandbox", prompt="hello")
