"""Another attempt is made where it can help and costs nobody twice, and nowhere else."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from gateway.core.egress import EgressRefused
from gateway.core.errors import GatewayError
from gateway.platform.providers import attempts
from gateway.platform.providers.anthropic_wire import AnthropicWire
from gateway.platform.providers.openai_wire import OpenAIWire
from tests.platform.providers.support import messages_wire, request, run, text_of, wire

HELLO = "Hello from the fake upstream . "


def both(upstream):
    return {"openai": wire(upstream.base_url), "anthropic": messages_wire(upstream.root)}


async def tried(provider, model, *, stream=True):
    """(the text or the error's code, the attempts) of one request."""
    made: list[attempts.Attempt] = []
    try:
        opened = await attempts.persist(lambda: provider.open(request(model, stream=stream)), made)
        async with opened:
            return text_of([delta async for delta in opened]), made
    except GatewayError as error:
        return error.code, made


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@pytest.mark.parametrize("code", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_persist__failure_that_passes__is_tried_again(upstream, dialect, code):
    for stream in (True, False):
        upstream.reset()
        asked = f"fake:flaky,code={code},retry_after_ms=1"
        text, made = run(tried(both(upstream)[dialect], asked, stream=stream))
        assert (text, [one.code == "ok" for one in made], made[0].status) == (HELLO, [False, True], code)
        assert len(upstream.calls()) == 2


def test_persist__no_retry_after__waits_a_moment_of_its_own(upstream):
    _, made = run(tried(wire(upstream.base_url), "fake:flaky,times=2"))
    assert [one.number for one in made] == [1, 2, 3]
    assert 125 <= made[1].waited_ms <= 250
    assert 375 <= made[2].waited_ms <= 750


@pytest.mark.parametrize(
    ("model", "calls"),
    [
        ("fake:status,code=400", 1),
        ("fake:status,code=401", 1),
        ("fake:status,code=403", 1),
        ("fake:status,code=404", 1),
        ("fake:status,code=422", 1),
        ("fake:status,code=501", 1),
        ("fake:status,code=429,error_code=insufficient_quota", 1),
        ("fake:status,code=429,retry_after=6", 1),
        ("fake:delay,delay_ms=5000", 1),
        ("fake:stall-first", 1),
        ("fake:non-json", 1),
        ("fake:flaky,drop=1", 1),
        ("fake:status,code=500,retry_after_ms=1", 3),
        ("fake:flaky,code=503,times=2,retry_after_ms=1", 3),
        ("fake:error-first", 3),
    ],
)
def test_persist__whatever_fails__is_tried_as_often_as_it_may_help(upstream, model, calls):
    for name, provider in both(upstream).items():
        upstream.reset()
        _, made = run(tried(provider, model))
        assert (name, len(made), len(upstream.calls())) == (name, calls, calls)


@pytest.mark.parametrize("model", ["fake:cut,after=3", "fake:error-mid", "fake:stall,after=3"])
def test_persist__failure_after_the_first_delta__is_never_tried_again(upstream, model):
    for provider in both(upstream).values():
        upstream.reset()
        _, made = run(tried(provider, model))
        assert ([one.code for one in made], len(upstream.calls())) == (["ok"], 1)


def test_persist__retry_after__is_waited_for(upstream):
    started = time.monotonic()
    text, made = run(tried(wire(upstream.base_url), "fake:flaky,code=429,retry_after=1"))
    assert (text, made[1].waited_ms, made[1].wire()["waited_ms"]) == (HELLO, 1000, 1000)
    assert time.monotonic() - started >= 1


def test_persist__nobody_listens__is_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    code, made = run(tried(wire(f"http://127.0.0.1:{port}/v1"), "x"))
    assert (code, [one.code for one in made]) == ("upstream_unreachable", ["upstream_unreachable"] * 3)


@pytest.mark.parametrize("kind", [OpenAIWire, AnthropicWire])
def test_persist__address_that_we_do_not_call__is_refused_once_with_host_and_reason(upstream, kind):
    own = kind(name="mine", base_url=upstream.base_url, api_key="sk-own", trusted=False)
    made: list[attempts.Attempt] = []
    with pytest.raises(EgressRefused) as caught:
        run(attempts.persist(lambda: own.open(request("fake:normal")), made))
    assert (caught.value.http_status, caught.value.code) == (502, "egress_refused")
    assert caught.value.detail == "'127.0.0.1' leads to an address that is not public (loopback)."
    assert ([one.code for one in made], upstream.calls()) == (["egress_refused"], [])


def test_persist__no_retries_configured__tries_once(upstream, settings):
    settings.IKIRO_UPSTREAM_RETRIES = 0
    assert len(run(tried(wire(upstream.base_url), "fake:flaky"))[1]) == 1


def test_persist__budget_spent__gives_up(upstream, monkeypatch):
    monkeypatch.setattr(attempts, "_BUDGET_S", 0.1)
    code, made = run(tried(wire(upstream.base_url), "fake:status,code=503,retry_after=1"))
    assert (code, len(made)) == ("upstream_error", 1)


def test_persist__caller_gone_while_waiting__stops_at_once(upstream):
    async def scene():
        task = asyncio.create_task(tried(wire(upstream.base_url), "fake:status,code=503,retry_after=4"))
        await asyncio.sleep(0.3)
        task.cancel()
        started = time.monotonic()
        await asyncio.gather(task, return_exceptions=True)
        return time.monotonic() - started

    assert run(scene()) < 1
    assert len(upstream.calls()) == 1
