"""The pass-through: bytes stay bytes, usage is known, failures are errors and never a silent end."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.crypto import Secret
from gateway.core.errors import BadRequest, GatewayError
from gateway.platform.providers.openai_wire.body import splice, with_model
from gateway.platform.providers.openai_wire.flavours import Flavour
from gateway.platform.providers.openai_wire.passthrough import StreamFilter
from gateway.platform.providers.refusals import Refusals
from gateway.platform.providers.types import TokenUsage
from tests.platform.providers.support import run, until_failure, wire

REFUSALS = Refusals("p", Secret(""))
MESSAGES = b'[ {"role":"user","content":"h\\u00e9llo \\ud83d\\ude00","x":1.10} ]'


def body(model: str, *, more: bytes = b"") -> bytes:
    return (
        b'{"messages": '
        + MESSAGES
        + b', "model": "openai/'
        + model.encode()
        + b'", "unknown": {"a": 1e5}'
        + more
        + b"}"
    )


async def passed(base_url: str, sent: bytes, model: str, *, stream: bool):
    async with await wire(base_url).forward(sent, model=model, stream=stream) as answer:
        data = b"".join([piece async for piece in answer])
    return data, answer


def frames(data: bytes) -> list:
    texts = [line.removeprefix(b"data: ") for line in data.split(b"\n\n") if line]
    return [text if text == b"[DONE]" else json.loads(text) for text in texts]


def test_splice__body_of_the_caller__keeps_every_byte_of_its_values():
    sent, asked = splice(body("m"), model="m", stream=False, flavour=Flavour())
    assert (asked, sent) == (False, b'{"messages":' + MESSAGES + b',"model":"m","unknown":{"a": 1e5}}')


@pytest.mark.parametrize(
    ("more", "options", "asked"),
    [
        (b"", {"include_usage": True}, False),
        (b', "stream_options": null', {"include_usage": True}, False),
        (b', "stream_options": {"include_usage": false, "x": 1}', {"include_usage": True, "x": 1}, False),
        (b', "stream_options": {"include_usage": true}', {"include_usage": True}, True),
    ],
)
def test_splice__stream__asks_for_usage_and_knows_who_asked(more, options, asked):
    sent, seen = splice(body("m", more=more), model="m", stream=True, flavour=Flavour())
    assert (json.loads(sent)["stream_options"], seen) == (options, asked)


_NAMES = st.sampled_from(["model", "mod\\u0065l", "max_tokens", r"a\"model", "messages", "nested"])
_VALUES = st.recursive(
    st.sampled_from(["null", "1", '"model"', '"x"', r'"\"model\": 1"', '"developer"']),
    lambda inner: st.dictionaries(_NAMES, inner, max_size=3).map(
        lambda found: "{" + ", ".join(f'"{name}" : {value}' for name, value in found.items()) + "}"
    ),
    max_leaves=6,
)


@given(fields=st.lists(st.tuples(_NAMES, _VALUES), max_size=6), model=st.sampled_from(["gpt", "%s", 'q"']))
def test_with_model__any_body__is_what_splice_makes_of_it_or_nothing(fields, model):
    sent = ("{" + ",".join(f'"{name}":{value}' for name, value in fields) + "}").encode()
    quick = with_model(sent, msgspec.json.encode(model))
    if quick is not None and "model" in json.loads(sent):
        slow, _ = splice(sent, model=model, stream=False, flavour=Flavour())
        assert json.loads(quick) == json.loads(slow)


def test_with_model__plain_body__changes_nothing_else():
    found = with_model(body("m"), b'"n"')
    assert found == body("m").replace(b'"model": "openai/m"', b'"model":"n"')


@pytest.mark.parametrize("bad", [b"", b"[]", b'"x"', b"{", b'{"a":1}{"b":2}', b'{"stream_options": [], "a": 1}'])
def test_splice__not_a_json_object__is_the_callers_mistake(bad):
    with pytest.raises(BadRequest):
        splice(bad, model="m", stream=True, flavour=Flavour())


def test_forward__buffered__passes_the_answer_and_reads_its_usage(upstream):
    data, answer = run(passed(upstream.base_url, body("fake:normal"), "fake:normal", stream=False))
    assert (answer.status, answer.headers, answer.usage, answer.finished) == (
        200,
        {"content-type": "application/json"},
        TokenUsage(7, 8),
        True,
    )
    assert json.loads(data)["choices"][0]["message"]["content"] == "Hello from the fake upstream . "
    assert upstream.calls()[0]["body"]["model"] == "fake:normal"


@pytest.mark.parametrize("asked", [True, False])
def test_forward__stream__shows_a_usage_chunk_only_to_who_asked(upstream, asked):
    more = b', "stream": true' + (b', "stream_options": {"include_usage": true}' if asked else b"")
    data, answer = run(passed(upstream.base_url, body("fake:normal", more=more), "fake:normal", stream=True))
    seen = frames(data)
    assert (seen[-1], answer.usage, answer.finished) == (b"[DONE]", TokenUsage(7, 8), True)
    empty = [frame for frame in seen[:-1] if not frame["choices"]]
    assert [frame["usage"]["total_tokens"] for frame in empty] == ([15] if asked else [])
    assert sum(1 for frame in seen[:-1] for choice in frame["choices"] if choice["finish_reason"]) == 1


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("model", "code", "status"),
    [
        ("fake:status,code=401", "provider_auth_failed", 502),
        ("fake:status,code=429,retry_after=7", "upstream_rate_limited", 429),
        ("fake:status,code=400", "upstream_rejected", 400),
        ("fake:non-json", "upstream_error", 502),
        ("fake:error-first", "upstream_error", 502),
    ],
)
def test_forward__failure_before_the_first_frame__is_raised_by_forward(upstream, model, code, status, stream):
    async def scene():
        with pytest.raises(GatewayError) as caught:
            await wire(upstream.base_url).forward(
                body(model, more=b', "stream": true' if stream else b""), model=model, stream=stream
            )
        return caught.value.code, caught.value.http_status

    assert run(scene()) == (code, status)


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("fake:stall,after=3", "upstream_stalled"),
        ("fake:break", "upstream_error"),
        ("fake:cut,after=3", "upstream_error"),
        ("fake:error-mid", "upstream_error"),
    ],
)
def test_forward__failure_in_the_middle__is_raised_after_what_came_and_not_finished(upstream, model, code):
    async def scene():
        async with await wire(upstream.base_url).forward(
            body(model, more=b', "stream": true'), model=model, stream=True
        ) as answer:
            pieces, error = await until_failure(answer)
        got = b"".join(pieces)
        return error.code, b"Hello" in got, b"[DONE]" in got, b'"error"' in got, answer.finished, answer.usage

    assert run(scene()) == (code, True, False, False, False, None)


def test_forward__left_early__cancels_the_provider(upstream):
    async def scene():
        model = "fake:delay,chunks=500,pace_ms=20"
        async with await wire(upstream.base_url).forward(
            body(model, more=b', "stream": true'), model=model, stream=True
        ):
            pass

    run(scene())
    upstream.wait_for(lambda calls: calls[0]["disconnected"])


def chunk(delta: dict, finish: str | None = None, **more) -> bytes:
    return (
        b"data: "
        + msgspec.json.encode({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more})
        + b"\n\n"
    )


STREAM = (
    b": hello\n\n"
    + chunk({"role": "assistant"})
    + chunk({"content": 'say "usage" and "error"'})
    + chunk({}, "stop")
    + b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\ndata: [DONE]\n\n'
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_filter__whatever_the_chunks__drops_the_usage_chunk_and_nothing_else(size):
    filtered = StreamFilter(REFUSALS, show_usage=False)
    out = b"".join(filtered.feed(STREAM[at : at + size]) for at in range(0, len(STREAM), size)) + filtered.end()
    dropped = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'
    assert (out, filtered.usage) == (STREAM.replace(dropped, b""), TokenUsage(1, 2))


def test_filter__finished_without_done__adds_it():
    filtered = StreamFilter(REFUSALS, show_usage=False)
    assert (
        filtered.feed(chunk({"content": "x"}, "stop")) + filtered.end()
        == chunk({"content": "x"}, "stop") + b"data: [DONE]\n\n"
    )


def test_filter__last_event_without_its_blank_line__still_counts():
    filtered = StreamFilter(REFUSALS, show_usage=False)
    out = filtered.feed(chunk({"content": "x"}, "stop") + b"data: [DONE]") + filtered.end()
    assert out == chunk({"content": "x"}, "stop") + b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    "bad",
    [
        b"data: <html>\n\n",
        b'data: {"nothing": "of the kind"}\n\n',
        b'data: {"error": "x"}\n\n',
        b'event: error\ndata: {"error": {}}\n\n',
    ],
)
def test_filter__frame_that_is_no_completion__ends_what_passes_before_it(bad):
    filtered = StreamFilter(REFUSALS, show_usage=False)
    good = chunk({"content": "x"})
    assert filtered.feed(good + bad + good) == good
    assert filtered.failure.code == "upstream_error"
    with pytest.raises(GatewayError):
        filtered.end()
