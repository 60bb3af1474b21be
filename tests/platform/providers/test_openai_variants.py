"""Servers that only resemble OpenAI's: what they leave out, call otherwise or send in odd pieces comes out right."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.crypto import Secret
from gateway.core.errors import GatewayError
from gateway.platform.providers.openai_wire import shapes
from gateway.platform.providers.openai_wire.body import build, splice
from gateway.platform.providers.openai_wire.calls import CallNumbers
from gateway.platform.providers.openai_wire.flavours import Flavour, endpoint, flavour_of
from gateway.platform.providers.openai_wire.passthrough import StreamFilter
from gateway.platform.providers.refusals import Refusals
from gateway.platform.providers.types import ModelRequest, TokenUsage
from tests.platform.providers.support import collect, last, request, run, text_of, wire

HELLO = "Hello from the fake upstream . "
LOOKUP = {"type": "function", "function": {"name": "lookup", "parameters": {}}}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {}}}
REFUSALS = Refusals("p", Secret(""))
MODERN, MISTRAL = flavour_of("https://api.openai.com/v1"), flavour_of("https://api.mistral.ai/v1")


def ask(upstream, model, **more):
    return run(collect(wire(upstream.base_url), request(model, **more)))


def passed(upstream, model, *, stream=True, usage=False, **more):
    sent = {"model": f"openai/{model}", "messages": [{"role": "user", "content": "hi"}], "stream": stream, **more}
    sent |= {"stream_options": {"include_usage": True}} if usage else {}

    async def scene():
        provider = wire(upstream.base_url)
        async with await provider.forward(json.dumps(sent).encode(), model=model, stream=stream) as answer:
            return b"".join([piece async for piece in answer]), answer

    data, answer = run(scene())
    if not stream:
        return json.loads(data), answer
    found = [line.removeprefix(b"data: ") for line in data.replace(b"\r", b"").split(b"\n\n")]
    found = [frame for frame in found if frame and not frame.startswith(b":")]
    assert found.pop() == b"[DONE]"
    return [json.loads(frame) for frame in found], answer


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("model", "text", "finish"),
    [
        ("fake:nulls", HELLO, "stop"),
        ("fake:reasoning", HELLO, "stop"),
        ("fake:refusal", "I cannot help with that.", "content_filter"),
        ("fake:length", "Hello from ", "length"),
        ("fake:normal,finish=eos", HELLO, "stop"),
        ("fake:normal,finish=MAX_TOKENS", HELLO, "length"),
        ("fake:normal,finish=model_length", HELLO, "length"),
        ("fake:normal,finish=new_one", HELLO, "stop"),
        ("fake:normal,eol=crlf,comments=1", HELLO, "stop"),
        ("fake:normal,done=0", HELLO, "stop"),
        ("fake:normal,content_type=text/plain", HELLO, "stop"),
        ("fake:drip", HELLO, "stop"),
        ("fake:json", '{"city": "Berlin", "days": 3}', "stop"),
    ],
)
def test_open__variations__come_out_the_same(upstream, model, text, finish, stream):
    deltas = ask(upstream, model, stream=stream)
    assert (text_of(deltas), last(deltas, "finish_reason")) == (text, finish)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("options", "expected"),
    [("none", None), ("last", TokenUsage(5, 8)), ("every", TokenUsage(5, 8)), ("null", TokenUsage(5, 8)),
     ("x,cached=3", TokenUsage(5, 8, 3))],
)  # fmt: skip
def test_open__usage__is_found_wherever_it_stands(upstream, options, expected, stream):
    assert last(ask(upstream, f"fake:normal,usage={options}", stream=stream), "usage") == expected


@pytest.mark.parametrize("usage", ["none", "last", "every", "null", "x"])
@pytest.mark.parametrize("asked", [True, False])
def test_forward__usage_chunk__is_there_once_and_last_for_who_asked(upstream, usage, asked):
    frames, answer = passed(upstream, f"fake:normal,usage={usage}", usage=asked)
    chunks = [at for at, frame in enumerate(frames) if not frame["choices"]]
    assert chunks == ([len(frames) - 1] if asked and usage != "none" else [])
    assert (answer.usage, answer.finished) == (None if usage == "none" else TokenUsage(4, 8), True)
    if chunks:
        assert frames[-1]["usage"]["total_tokens"] == 12
        assert frames[-1]["id"] == frames[0]["id"]


@pytest.mark.parametrize("finish", ["error", "insufficient_system_resource"])
@pytest.mark.parametrize("stream", [True, False])
def test_open__model_that_gave_up__is_a_failure(upstream, finish, stream):
    with pytest.raises(GatewayError, match="gave up on the answer"):
        ask(upstream, f"fake:normal,finish={finish}", stream=stream)
    with pytest.raises(GatewayError, match="gave up on the answer"):
        passed(upstream, f"fake:normal,finish={finish}", stream=stream)


@pytest.mark.parametrize("case", ["offered", "noindex", "object", "whole", "offered-parallel"])
@pytest.mark.parametrize("stream", [True, False])
def test_forward__tool_calls__have_what_openais_clients_need(upstream, case, stream):
    found, _ = passed(upstream, f"fake:tools,case={case}", stream=stream, tools=[LOOKUP, WEATHER])
    names = ["lookup", "weather"] if case in ("whole", "offered-parallel") else ["lookup"]
    calls: dict[int, dict] = {}
    if stream:
        for frame in found:
            for call in frame["choices"][0]["delta"].get("tool_calls") or ():
                known = calls.setdefault(call["index"], {"arguments": ""})
                known |= {"id": call["id"], "name": call["function"]["name"]} if call.get("id") else {}
                known["arguments"] += call["function"]["arguments"]
    else:
        for at, call in enumerate(found["choices"][0]["message"]["tool_calls"]):
            calls[at] = {"id": call["id"], **call["function"]}
    assert [call["name"] for call in calls.values()] == names
    assert all(call["id"] and json.loads(call["arguments"]) == {"city": "Berlin"} for call in calls.values())
    assert len({call["id"] for call in calls.values()}) == len(names)


def fragments(*given: tuple) -> list[tuple]:
    numbers = CallNumbers()
    return [numbers.place(*one) for one in given]


def test_calls__without_index__are_told_apart_by_id_and_name():
    assert fragments(
        (None, "a", "f"), (None, None, None), (None, "a", "f"), (None, "b", "f"), (None, None, None)
    ) == [(0, "a"), (0, None), (0, "a"), (1, "b"), (1, None)]  # fmt: skip
    (first, one), (second, two) = fragments((None, None, "f"), (None, None, "g"))
    assert (first, second, one == two, one.startswith("call_")) == (0, 1, False, True)


def test_calls__all_under_index_zero__are_told_apart_by_their_ids():
    assert fragments((0, "a", "f"), (0, None, None), (0, "b", "g"), (0, None, None)) == [
        (0, "a"), (0, None), (1, "b"), (1, None),
    ]  # fmt: skip


def test_calls__as_openai_sends_them__are_left_alone():
    given = [(0, "a", "f"), (1, "b", "g"), (0, None, None), (1, None, None)]
    assert fragments(*given) == [(index, call_id) for index, call_id, _ in given]


def test_open__stream_answered_by_one_whole_completion__is_taken_as_it_is():
    whole = {
        "id": "x", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {
            "role": "assistant", "content": "hi",
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }  # fmt: skip
    filtered = StreamFilter(REFUSALS, show_usage=True)
    data = json.dumps(whole, indent=1).encode()
    assert filtered.feed(data) == b""
    frames = [json.loads(part.removeprefix(b"data: ")) for part in filtered.end().split(b"\n\n")[:-2]]
    assert [frame["object"] for frame in frames] == ["chat.completion.chunk"] * 2
    (choice,) = frames[0]["choices"]
    assert (choice["delta"]["content"], choice["delta"]["tool_calls"][0]["index"]) == ("hi", 0)
    assert (frames[1]["choices"], frames[1]["usage"]["total_tokens"]) == ([], 3)
    failing = StreamFilter(REFUSALS, show_usage=True)
    failing.feed(b'{"error": {"message": "no", "type": "rate_limit_error"}}')
    with pytest.raises(GatewayError) as caught:
        failing.end()
    assert caught.value.code == "upstream_rate_limited"


CHUNKS = (
    b": ping\r\n\r\n"
    b'data: {"id":"i","choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
    b'data: {"id":"i","choices":[{"delta":{"content":"a \\"usage\\" \xc3\xa9"},"finish_reason":null}]}\r\n\r\n'
    b'data: {"id":"i","choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{\\"a\\""}}]}}]}\n\n'
    b'data: {"id":"i","choices":[{"delta":{"tool_calls":[{"function":{"arguments":":1}"}}]}}]}\n\n'
    b'data: {"id":"i","choices":[{"delta":{},"finish_reason":"eos"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}'
    b"\n\n: bye\n\ndata: [DONE]\n\n"
)


@settings(max_examples=150, deadline=None)
@given(cuts=st.lists(st.integers(0, len(CHUNKS)), max_size=12))
def test_filter__any_cut_into_pieces__gives_the_same_frames(cuts):
    def frames(*marks: int) -> list:
        filtered, edges = StreamFilter(REFUSALS, show_usage=True), [0, *sorted(marks), len(CHUNKS)]
        out = b"".join(filtered.feed(CHUNKS[a:b]) for a, b in itertools.pairwise(edges)) + filtered.end()
        texts = [part for part in out.replace(b"\r", b"").split(b"\n\n") if part.startswith(b"data: {")]
        shown = [json.loads(text.removeprefix(b"data: ")) for text in texts]
        for frame in shown:
            for call in frame["choices"][0]["delta"].get("tool_calls", ()) if frame["choices"] else ():
                call.pop("id", None)  # made up, each time another
        assert filtered.usage == TokenUsage(1, 2)
        return shown

    whole = frames()
    assert frames(*cuts) == whole
    assert [frame["choices"][0].get("finish_reason") for frame in whole if frame["choices"]][-1] == "stop"
    assert [
        call["index"]
        for frame in whole
        if frame["choices"]
        for call in frame["choices"][0]["delta"].get("tool_calls", ())
    ] == [0, 0]
    assert whole[-1]["choices"] == []


@pytest.mark.parametrize(
    ("flavour", "given", "expected"),
    [
        (MODERN, {"max_tokens": 9}, {"max_completion_tokens": 9}),
        (MODERN, {"max_tokens": 9, "max_completion_tokens": 7}, {"max_completion_tokens": 7}),
        (Flavour(), {"max_completion_tokens": 7}, {"max_tokens": 7}),
        (Flavour(), {"max_tokens": 9, "max_completion_tokens": 7}, {"max_tokens": 9}),
        (Flavour(), {"max_tokens": None, "max_completion_tokens": 7}, {"max_tokens": 7}),
        (Flavour(), {"response_format": {"type": "json_object"}}, {"response_format": {"type": "json_object"}}),
    ],
)
def test_body__limit__has_the_name_that_the_server_knows(flavour, given, expected):
    messages = [{"role": "user", "content": "hi"}]
    built = json.loads(build(ModelRequest("m", tuple(messages), params=given), flavour))
    assert built == {"model": "m", "messages": messages, **expected}
    sent, _ = splice(
        json.dumps({"model": "x/m", "messages": messages, **given}).encode(), model="m", stream=False, flavour=flavour
    )
    assert json.loads(sent) == {"model": "m", "messages": messages, **expected}


def test_body__developer__is_the_system_where_only_that_is_known():
    messages = [{"role": "developer", "content": "be brief"}, {"role": "user", "content": '"developer"'}]
    for flavour, role in ((MODERN, "developer"), (Flavour(), "system")):
        built = json.loads(build(ModelRequest("m", tuple(messages)), flavour))
        sent, _ = splice(json.dumps({"messages": messages}).encode(), model="m", stream=False, flavour=flavour)
        for body in (built, json.loads(sent)):
            assert body["messages"] == [{**messages[0], "role": role}, messages[1]]


def test_body__server_without_stream_options__is_not_sent_any():
    sent, asked = splice(
        b'{"stream_options": {"include_usage": true}, "stream": true}', model="m", stream=True, flavour=MISTRAL
    )
    assert (json.loads(sent), asked) == ({"model": "m", "stream": True}, True)
    assert "stream_options" not in json.loads(build(ModelRequest("m", (), stream=True), MISTRAL))


@pytest.mark.parametrize(
    ("url", "modern", "header"),
    [
        ("https://api.openai.com/v1", True, False),
        ("https://eu.api.openai.com/v1", True, False),
        ("https://res.openai.azure.com/openai/v1", True, True),
        ("https://api.openai.com.evil.example/v1", False, False),
        ("http://localhost:11434/v1", False, False),
    ],
)
def test_flavour__by_the_host__is_what_it_understands(url, modern, header):
    assert (flavour_of(url).modern, flavour_of(url).api_key_header) == (modern, header)
    assert endpoint(url, "/models") == f"{url}/models"


def test_models__bare_list_and_odd_rows__are_read_as_far_as_they_are_sound(upstream):
    upstream.models("b", "a" * 300, "with blank", "c/d")
    assert [one.id for one in run(wire(upstream.base_url).models())] == ["b", "c/d"]
    upstream.models(status=404)
    with pytest.raises(GatewayError):
        run(wire(upstream.base_url).models())


def test_finish__every_synonym__is_one_of_openais():
    assert {shapes.finish_of(word) for word in shapes._SYNONYMS} <= shapes.FINISHED
    assert (shapes.finish_of(None), shapes.finish_of("")) == (None, None)
