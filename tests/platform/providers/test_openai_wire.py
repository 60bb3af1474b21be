"""The OpenAI wire's answers as deltas: what comes through, what every failure is called, and that letting go reaches
the provider.
"""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from gateway.core.errors import GatewayError
from gateway.platform.providers.types import ModelDelta, TokenUsage, ToolCallDelta
from tests.platform.providers.support import collect, last, request, run, text_of, until_failure, wire

HELLO = "Hello from the fake upstream . "


@pytest.mark.parametrize("stream", [True, False])
def test_open__plain_answer__gives_text_finish_and_usage(upstream, stream):
    deltas = run(collect(wire(upstream.base_url), request("fake:normal", stream=stream)))
    assert (text_of(deltas), last(deltas, "finish_reason"), last(deltas, "usage")) == (HELLO, "stop", TokenUsage(5, 8))
    assert len(deltas) == (8 if stream else 1)


@pytest.mark.parametrize("stream", [True, False])
def test_open__what_is_sent__is_the_request_and_nothing_of_ours(upstream, stream):
    tools = ({"type": "function", "function": {"name": "lookup", "parameters": {}}},)
    params = {"temperature": 0.5, "max_tokens": 9, "metadata": {"sandbox.reply": "x"}, "stop": None}
    asked = request("fake:normal", stream=stream, tools=tools, tool_choice="auto", params=params)
    run(collect(wire(upstream.base_url), asked))
    (seen,) = upstream.calls()
    sent = {
        "model": "fake:normal",
        "messages": list(asked.messages),
        "tools": list(tools),
        "tool_choice": "auto",
        "temperature": 0.5,
        "max_tokens": 9,
    }
    assert seen["body"] == (sent | {"stream": True, "stream_options": {"include_usage": True}} if stream else sent)
    assert set(seen["headers"]) == {
        "host",
        "accept",
        "accept-encoding",
        "authorization",
        "content-length",
        "content-type",
        "user-agent",
    }
    assert seen["headers"]["authorization"] == "Bearer sk-operator"


def test_open__no_key_configured__sends_no_authorization(upstream):
    run(collect(wire(upstream.base_url, key=""), request("fake:normal")))
    assert "authorization" not in upstream.calls()[0]["headers"]


def test_open__tool_calls__come_as_fragments_and_buffered_whole(upstream):
    streamed = run(collect(wire(upstream.base_url), request("fake:tools,case=parallel")))
    whole = run(collect(wire(upstream.base_url), request("fake:tools,case=parallel", stream=False)))
    joined: dict[int, list] = {}
    for delta in streamed:
        for call in delta.tool_calls:
            known = joined.setdefault(call.index, [None, None, ""])
            known[0], known[1] = known[0] or call.id, known[1] or call.name
            known[2] += call.arguments
    assert tuple(ToolCallDelta(index, *fields) for index, fields in joined.items()) == whole[0].tool_calls
    assert [call.name for call in whole[0].tool_calls] == ["ikiro_memory_upsert", "ikiro_propose_write"]
    assert last(streamed, "finish_reason") == whole[0].finish_reason == "tool_calls"


FAILURES = [
    ("fake:status,code=401", "provider_auth_failed", 502, None),
    ("fake:status,code=403", "provider_auth_failed", 502, None),
    ("fake:status,code=429,retry_after=7", "upstream_rate_limited", 429, 7.0),
    ("fake:status,code=404", "model_not_found", 404, None),
    ("fake:status,code=400", "upstream_rejected", 400, None),
    ("fake:status,code=422", "upstream_rejected", 400, None),
    ("fake:status,code=500", "upstream_error", 502, None),
    ("fake:status,code=503,retry_after=3", "upstream_error", 502, 3.0),
    ("fake:status,code=302", "upstream_error", 502, None),
    ("fake:non-json", "upstream_error", 502, None),
    ("fake:error-first", "upstream_error", 502, None),
    ("fake:delay,delay_ms=3000", "upstream_timeout", 504, None),
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("model", "code", "status", "retry_after"), FAILURES)
def test_open__failure_before_the_first_delta__is_raised_by_open(upstream, model, code, status, retry_after, stream):
    async def scene():
        with pytest.raises(GatewayError) as caught:
            await wire(upstream.base_url).open(request(model, stream=stream))
        return caught.value

    error = run(scene())
    if model == "fake:error-first" and not stream:
        assert (error.code, error.http_status) == ("upstream_error", 502)
        return
    assert (error.code, error.http_status, error.retry_after) == (code, status, retry_after)
    assert "sk-operator" not in error.detail + json.dumps(error.extra)
    if code == "upstream_rejected":
        assert "scripted 4" in error.detail
        assert error.extra["provider_error"]["param"] == "messages"


@pytest.mark.parametrize(
    ("model", "code", "before"),
    [
        ("fake:stall,after=3", "upstream_stalled", "Hello from "),
        ("fake:break", "upstream_error", HELLO),
        ("fake:cut,after=3", "upstream_error", "Hello from "),
        ("fake:error-mid", "upstream_error", "Hello from "),
    ],
)
def test_open__failure_in_the_middle__is_raised_after_what_came(upstream, model, code, before):
    async def scene():
        async with await wire(upstream.base_url).open(request(model)) as stream:
            seen, error = await until_failure(stream)
        return text_of(seen), error.code

    assert run(scene()) == (before, code)


def test_open__nobody_listens__is_unreachable():
    async def scene():
        with pytest.raises(GatewayError) as caught:
            await wire("http://127.0.0.1:1/v1").open(request("x"))
        return caught.value.code

    assert run(scene()) == "upstream_unreachable"


@pytest.mark.parametrize("moment", ["before the first delta", "buffered", "in the middle", "by leaving"])
def test_open__let_go__reaches_the_provider_within_a_second(upstream, moment):
    early = moment in ("before the first delta", "buffered")
    model = "fake:delay,delay_ms=5000" if early else "fake:delay,chunks=500,pace_ms=20"

    async def scene():
        from gateway.core.egress import Timeouts

        provider = wire(upstream.base_url, timeouts=Timeouts())

        async def read():
            async with await provider.open(request(model, stream=moment != "buffered")) as stream:
                async for _ in stream:
                    if moment == "by leaving":
                        return

        task = asyncio.create_task(read())
        await asyncio.sleep(0.3)
        if moment != "by leaving":
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(upstream.wait_for, lambda calls: calls and calls[0]["disconnected"])

    started = time.monotonic()
    run(scene())
    (seen,) = upstream.calls()
    assert (seen["finished"], seen["disconnected"]) == (False, True)
    assert time.monotonic() - started < 2


def test_open__many_streams_in_a_row__share_one_connection(upstream):
    """[DONE] is not the end of the HTTP body: unless what follows is taken too, every stream would cost a
    connection.
    """

    async def scene():
        provider, ports = wire(upstream.base_url), set()
        from gateway.core.egress.pool import current_pool

        for _ in range(20):
            await collect(provider, request("fake:normal"))
            ((connection,),) = current_pool()._idle.values()
            ports.add(connection.transport.get_extra_info("sockname")[1])
        return len(ports)

    assert run(scene()) == 1


def test_open__odd_but_harmless_shapes__are_understood():
    from gateway.platform.providers.openai_wire import shapes
    from gateway.platform.providers.openai_wire.calls import CallNumbers

    chunk = {
        "choices": [
            {
                "delta": {
                    "content": [{"type": "text", "text": "a"}, {"type": "thinking"}, {"text": "b"}],
                    "role": None,
                    "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {"x": 1}}}],
                },
                "finish_reason": "",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": None, "prompt_tokens_details": None},
        "new": {},
    }
    assert shapes.decode(json.dumps(chunk).encode()).delta(CallNumbers()) == ModelDelta(
        "ab", (ToolCallDelta(0, "c", "f", '{"x":1}'),), None, TokenUsage(3, 0, 0)
    )
