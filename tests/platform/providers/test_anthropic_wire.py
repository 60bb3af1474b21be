"""Anthropic's wire against the scripted provider: deltas, failures, cancellation, and OpenAI's shape on the way
back.
"""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from gateway.core.errors import GatewayError
from gateway.platform.providers.types import TokenUsage
from tests.platform.providers.support import (
    collect,
    last,
    messages_wire,
    request,
    run,
    text_of,
    until_failure,
)

HELLO = "Hello from the fake upstream . "
LOOKUP = {"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def ask(upstream, model, **more):
    return run(collect(messages_wire(upstream.root), request(model, **more)))


def joined(deltas) -> dict[int, tuple[str | None, str | None, str]]:
    calls: dict[int, list] = {}
    for delta in deltas:
        for call in delta.tool_calls:
            known = calls.setdefault(call.index, [None, None, ""])
            known[0], known[1] = known[0] or call.id, known[1] or call.name
            known[2] += call.arguments
    return {at: tuple(fields) for at, fields in calls.items()}


@pytest.mark.parametrize("stream", [True, False])
def test_open__plain_answer__gives_text_finish_and_usage(upstream, stream):
    deltas = ask(upstream, "fake:normal,cached=3,cache_write=2", stream=stream)
    assert (text_of(deltas), last(deltas, "finish_reason")) == (HELLO, "stop")
    counted = upstream.calls()[0]["body"]["messages"]
    prompt = len(json.dumps(counted).split()) + 5
    assert last(deltas, "usage") == TokenUsage(prompt, 8, 3, 2)


def test_open__what_is_sent__is_the_request_and_nothing_of_ours(upstream):
    ask(upstream, "fake:normal", params={"metadata": {"a": "b"}, "temperature": 0.5, "max_tokens": 9})
    (seen,) = upstream.calls()
    assert seen["body"] == {
        "model": "fake:normal",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello there"}]}],
        "max_tokens": 9,
        "temperature": 0.5,
        "stream": True,
    }
    assert set(seen["headers"]) == {
        "host",
        "accept",
        "accept-encoding",
        "anthropic-version",
        "content-length",
        "content-type",
        "user-agent",
        "x-api-key",
    }
    assert (seen["path"], seen["headers"]["x-api-key"]) == ("/v1/messages", "sk-ant-operator")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("case", ["offered", "offered-parallel", "whole"])
def test_open__tool_calls__have_numbers_ids_and_whole_arguments(upstream, case, stream):
    deltas = ask(upstream, f"fake:tools,case={case}", stream=stream, tools=(LOOKUP, WEATHER))
    names = ["lookup"] if case == "offered" else ["lookup", "weather"]
    assert {at: (call_id, name, json.loads(text)) for at, (call_id, name, text) in joined(deltas).items()} == {
        at: (f"toolu_{at}", name, {"city": "Berlin"}) for at, name in enumerate(names)
    }
    assert last(deltas, "finish_reason") == "tool_calls"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("model", "text", "finish"),
    [
        ("fake:reasoning", HELLO, "stop"),
        ("fake:refusal", "I cannot help with that.", "content_filter"),
        ("fake:length", "Hello from ", "length"),
        ("fake:normal,finish=stop_sequence", HELLO, "stop"),
        ("fake:normal,finish=model_context_window_exceeded", HELLO, "length"),
        ("fake:normal,finish=something_new", HELLO, "stop"),
        ("fake:normal,usage=none", HELLO, "stop"),
        ("fake:normal,eol=crlf", HELLO, "stop"),
        ("fake:drip", HELLO, "stop"),
        ("fake:normal,comments=1", HELLO, "stop"),
        ("fake:normal,done=0", HELLO, "stop"),
        ("fake:normal,content_type=text/html", HELLO, "stop"),
        ("fake:json", '{"city": "Berlin", "days": 3}', "stop"),
    ],
)
def test_open__variations__come_out_the_same(upstream, model, text, finish, stream):
    deltas = ask(upstream, model, stream=stream)
    assert (text_of(deltas), last(deltas, "finish_reason")) == (text, finish)
    assert (last(deltas, "usage") is None) == ("usage=none" in model)


FAILURES = [
    ("fake:status,code=401", "provider_auth_failed", 502, None),
    ("fake:status,code=403", "provider_auth_failed", 502, None),
    ("fake:status,code=404", "model_not_found", 404, None),
    ("fake:status,code=400", "upstream_rejected", 400, None),
    ("fake:status,code=413", "upstream_rejected", 400, None),
    ("fake:status,code=429,retry_after=7", "upstream_rate_limited", 429, 7.0),
    ("fake:status,code=500", "upstream_error", 502, None),
    ("fake:status,code=529,retry_after=2", "upstream_overloaded", 503, 2.0),
    ("fake:non-json", "upstream_error", 502, None),
    ("fake:html,content_type=application/json", "upstream_error", 502, None),
    ("fake:error-first", "upstream_overloaded", 503, None),
    ("fake:delay,delay_ms=5000", "upstream_timeout", 504, None),
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("model", "code", "status", "retry_after"), FAILURES)
def test_open__failure_before_the_first_delta__is_raised_by_open(upstream, model, code, status, retry_after, stream):
    async def scene():
        with pytest.raises(GatewayError) as caught:
            await messages_wire(upstream.root).open(request(model, stream=stream))
        return caught.value

    error = run(scene())
    assert (error.code, error.http_status, error.retry_after) == (code, status, retry_after)
    assert "sk-ant-operator" not in error.detail + json.dumps(error.extra)


@pytest.mark.parametrize(
    ("model", "code", "before"),
    [
        ("fake:stall,after=3", "upstream_stalled", "Hello from the "),
        ("fake:break", "upstream_error", HELLO),
        ("fake:cut,after=3", "upstream_error", "Hello from the "),
        ("fake:error-mid", "upstream_overloaded", "Hello from "),
    ],
)
def test_open__failure_in_the_middle__is_raised_after_what_came(upstream, model, code, before):
    async def scene():
        async with await messages_wire(upstream.root).open(request(model)) as stream:
            seen, error = await until_failure(stream)
        return text_of(seen), error.code

    assert run(scene()) == (before, code)


def test_open__stall_before_the_first_token__is_a_timeout_although_the_head_and_pings_came(upstream):
    async def scene():
        with pytest.raises(GatewayError) as caught:
            await messages_wire(upstream.root).open(request("fake:stall-first"))
        return caught.value.code

    assert run(scene()) == "upstream_timeout"


@pytest.mark.parametrize("moment", ["before the first delta", "buffered", "in the middle", "by leaving"])
def test_open__let_go__reaches_the_provider_within_a_second(upstream, moment):
    early = moment in ("before the first delta", "buffered")
    model = "fake:delay,delay_ms=5000" if early else "fake:delay,chunks=500,pace_ms=20"

    async def scene():
        from gateway.core.egress import Timeouts

        provider = messages_wire(upstream.root, timeouts=Timeouts())

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
    assert (upstream.cancelled(), time.monotonic() - started < 2) == (1, True)


def test_open__many_streams_in_a_row__share_one_connection(upstream):
    async def scene():
        from gateway.core.egress.pool import current_pool

        provider, ports = messages_wire(upstream.root), set()
        for _ in range(5):
            await collect(provider, request("fake:normal"))
            ((connection,),) = current_pool()._idle.values()
            ports.add(connection.transport.get_extra_info("sockname")[1])
        return len(ports)

    assert run(scene()) == 1


def passed(upstream, model, *, stream, **more):
    sent = {"model": f"anthropic/{model}", "messages": [{"role": "user", "content": "hi"}], "stream": stream, **more}

    async def scene():
        async with await messages_wire(upstream.root).forward(
            json.dumps(sent).encode(), model=model, stream=stream
        ) as answer:
            return b"".join([piece async for piece in answer]), answer

    data, answer = run(scene())
    if not stream:
        return json.loads(data), answer
    frames = [part.removeprefix(b"data: ") for part in data.split(b"\n\n") if part]
    assert frames.pop() == b"[DONE]"
    return [json.loads(frame) for frame in frames], answer


def test_forward__buffered__is_a_chat_completion(upstream):
    whole, answer = passed(upstream, "fake:tools,case=offered", stream=False, tools=[LOOKUP])
    (choice,) = whole["choices"]
    assert (whole["object"], choice["finish_reason"]) == ("chat.completion", "tool_calls")
    (call,) = choice["message"]["tool_calls"]
    assert (call["id"], call["type"], call["function"]["name"]) == ("toolu_0", "function", "lookup")
    assert json.loads(call["function"]["arguments"]) == {"city": "Berlin"}
    assert choice["message"]["content"] is None
    assert whole["usage"]["total_tokens"] == answer.usage.prompt_tokens + answer.usage.completion_tokens


@pytest.mark.parametrize("asked", [True, False])
def test_forward__stream__is_chunks_with_a_usage_chunk_only_for_who_asked(upstream, asked):
    options = {"stream_options": {"include_usage": True}} if asked else {}
    frames, answer = passed(upstream, "fake:normal", stream=True, **options)
    assert "".join(choice["delta"].get("content", "") for frame in frames for choice in frame["choices"]) == HELLO
    assert frames[0]["choices"][0]["delta"]["role"] == "assistant"
    assert len({frame["id"] for frame in frames}) == 1
    assert [choice["finish_reason"] for frame in frames for choice in frame["choices"] if choice["finish_reason"]] == [
        "stop"
    ]
    usage = [frame["usage"]["completion_tokens"] for frame in frames if not frame["choices"]]
    assert (usage, answer.usage.completion_tokens, answer.finished) == ([8] if asked else [], 8, True)


def test_forward__parallel_calls__have_an_index_in_every_fragment(upstream):
    frames, _ = passed(upstream, "fake:tools,case=offered-parallel", stream=True, tools=[LOOKUP, WEATHER])
    texts, ids = {0: "", 1: ""}, []
    for frame in frames:
        for call in frame["choices"][0]["delta"].get("tool_calls", ()) if frame["choices"] else ():
            texts[call["index"]] += call["function"]["arguments"]
            ids += [call["id"]] if "id" in call else []
    assert ({at: json.loads(text) for at, text in texts.items()}, ids) == (
        {0: {"city": "Berlin"}, 1: {"city": "Berlin"}},
        ["toolu_0", "toolu_1"],
    )


def test_forward__images_and_documents__arrive_as_blocks(upstream):
    parts = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
    ]
    whole, _ = passed(upstream, "fake:images", stream=False, messages=[{"role": "user", "content": parts}])
    assert [block["source"]["type"] for block in json.loads(whole["choices"][0]["message"]["content"])] == [
        "base64",
        "url",
    ]


def test_forward__failure_in_the_middle__is_raised_and_not_finished(upstream):
    async def scene():
        sent = json.dumps({"model": "x", "messages": [{"role": "user", "content": "hi"}], "stream": True}).encode()
        provider = messages_wire(upstream.root)
        async with await provider.forward(sent, model="fake:error-mid", stream=True) as answer:
            pieces, error = await until_failure(answer)
        return error.code, b"Hello" in b"".join(pieces), b"[DONE]" in b"".join(pieces), answer.finished

    assert run(scene()) == ("upstream_overloaded", True, False, False)


def test_models__listed__come_with_their_names(upstream):
    upstream.models("claude-haiku-4-5")
    (found,) = run(messages_wire(upstream.root).models())
    assert (found.id, found.name, found.created) == ("claude-haiku-4-5", "Claude-Haiku-4-5", 1767225600)
    assert upstream.listings()[0]["x-api-key"] == "sk-ant-operator"
