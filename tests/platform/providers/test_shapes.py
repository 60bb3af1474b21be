"""Every dialect over every wire: the same answer, the same usage, and an error where there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.errors import GatewayError
from gateway.platform.providers.sandbox import Sandbox
from gateway.platform.providers.types import Shape
from tests.platform.providers.dialects import PATHS, ask, events, question
from tests.platform.providers.support import messages_wire, run, until_failure, wire

SHAPES = [Shape.CHAT, Shape.RESPONSES, Shape.MESSAGES]
STOP = {Shape.CHAT: "stop", Shape.RESPONSES: "completed", Shape.MESSAGES: "end_turn"}
CALLED = {Shape.CHAT: "tool_calls", Shape.RESPONSES: "completed", Shape.MESSAGES: "tool_use"}
CUT = {Shape.CHAT: "length", Shape.RESPONSES: "incomplete", Shape.MESSAGES: "max_tokens"}
LAST = {Shape.RESPONSES: "response.completed", Shape.MESSAGES: "message_stop"}
NO_RESPONSES = ",responses=0"
WIRES = ["openai", "openai-without-responses", "anthropic"]
pytestmark = pytest.mark.parametrize("shape", SHAPES)


@pytest.fixture(params=WIRES)
def made(request: pytest.FixtureRequest, upstream: Any) -> tuple[Any, str]:
    """(a wire, what its models' names end with)."""
    upstream.reset()
    if request.param == "anthropic":
        return messages_wire(upstream.root), ""
    return wire(upstream.base_url), NO_RESPONSES if "without" in request.param else ""


def said(made: tuple[Any, str], shape: Shape, model: str, *, stream: bool, **more: Any) -> Any:
    provider, suffix = made
    body = question(shape, stream=stream, **more)
    return run(ask(provider, shape, f"fake:{model}{suffix}", body, stream=stream))


@pytest.mark.parametrize("stream", [False, True])
def test_text__asked_in_any_dialect__is_answered_in_it(made: Any, shape: Shape, stream: bool, upstream: Any) -> None:
    found, answer = said(made, shape, "normal,cached=3", stream=stream)
    assert (found.text, found.calls, found.ended) == ("Hello from the fake upstream . ", [], STOP[shape])
    assert answer.finished
    assert found.usage == (answer.usage.prompt_tokens, answer.usage.completion_tokens, 3)
    assert answer.usage.cached_tokens == 3
    if stream and shape in LAST:
        assert found.events[-1] == LAST[shape]
    calls = upstream.calls()
    assert "ik_" not in json.dumps(calls)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", ["offered", "offered-parallel"])
def test_tools__one_or_two_by_turns__are_called_with_their_own_arguments(
    made: Any, shape: Shape, stream: bool, case: str
) -> None:
    tools = ("get_weather", "get_time") if case == "offered-parallel" else ("get_weather",)
    found, _ = said(made, shape, f"tools,case={case}", stream=stream, tools=tools)
    assert found.calls == [(name, {"city": "Berlin"}) for name in tools]
    assert found.ended == CALLED[shape]


@pytest.mark.parametrize("stream", [False, True])
def test_length__cut_short__is_told_in_the_dialects_word(made: Any, shape: Shape, stream: bool) -> None:
    found, _ = said(made, shape, "length", stream=stream)
    assert found.ended == CUT[shape]


@pytest.mark.parametrize("stream", [False, True])
def test_thinking__of_a_translated_answer__is_apart_from_the_text(shape: Shape, upstream: Any, stream: bool) -> None:
    """Each native pair is left out: there, the bytes are the provider's."""
    pairs = [(messages_wire(upstream.root), Shape.MESSAGES), (wire(upstream.base_url), Shape.RESPONSES)]
    for provider, native in pairs:
        if shape is native:
            continue
        body = question(shape, stream=stream)
        found, _ = run(ask(provider, shape, "fake:reasoning", body, stream=stream))
        assert (found.thinking, found.text) == ("Let me think.", "Hello from the fake upstream . ")


@pytest.mark.parametrize("scenario", ["error-mid", "cut", "break", "stall"])
def test_stream__broken_off__raises_and_never_ends_well(made: Any, shape: Shape, scenario: str) -> None:
    provider, suffix = made

    async def scene() -> Any:
        body = question(shape, stream=True)
        return await until_failure(
            await provider.forward(body, model=f"fake:{scenario}{suffix}", stream=True, shape=shape)
        )

    pieces, error = run(scene())
    assert pieces
    assert error.http_status >= 500
    data = b"".join(pieces)
    assert b"[DONE]" not in data
    assert not {event.get("type") for event in events(data)} & {*LAST.values(), "message_delta"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("scenario", "status"),
    [("status,code=429", 429), ("status,code=401", 502), ("status,code=400", 400), ("non-json", 502),
     ("error-first", None)],
)  # fmt: skip
def test_refusal__before_the_first_word__is_raised(
    made: Any, shape: Shape, stream: bool, scenario: str, status: int | None
) -> None:
    with pytest.raises(GatewayError) as raised:
        said(made, shape, scenario, stream=stream)
    assert raised.value.http_status == (status or raised.value.http_status)
    assert raised.value.http_status >= 400


@pytest.mark.parametrize("stream", [False, True])
def test_sandbox__asked_in_any_dialect__answers_and_counts(shape: Shape, stream: bool) -> None:
    found, answer = run(ask(Sandbox(), shape, "sandbox", question(shape, stream=stream), stream=stream))
    assert found.text
    assert found.ended == STOP[shape]
    assert found.usage == (answer.usage.prompt_tokens, answer.usage.completion_tokens, 0)


def test_native__values_of_the_caller__keep_their_bytes(shape: Shape, upstream: Any) -> None:
    upstream.reset()
    provider: Any = messages_wire(upstream.root) if shape is Shape.MESSAGES else wire(upstream.base_url)
    body = question(shape, metadata={"user_id": "u"}) if shape is Shape.MESSAGES else question(shape, unknown={"a": 1})
    run(ask(provider, shape, "fake:normal", body, stream=False))
    (call,) = upstream.calls()
    assert call["path"].endswith(PATHS[shape])
    told = json.loads(body)
    kept = {name: value for name, value in call["body"].items() if name not in ("model", "store")}
    assert kept == {name: value for name, value in told.items() if name != "model"}


def test_translation__of_nonsense__names_the_field(shape: Shape, upstream: Any) -> None:
    provider: Any = wire(upstream.base_url) if shape is Shape.MESSAGES else messages_wire(upstream.root)
    name = "input" if shape is Shape.RESPONSES else "messages"
    for value in ([], [{"role": "nobody", "content": "x"}], "x" if name == "messages" else 1):
        body = question(shape, **{name: value})
        with pytest.raises(GatewayError, match=name) as raised:
            run(ask(provider, shape, "fake:normal", body, stream=False))
        assert raised.value.http_status in (400, 422)
