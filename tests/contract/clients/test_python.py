"""The official Python client, unchanged but for its base URL: what it sends and what it makes of the answer.

Each case runs over both provider wires, as a pass-through and as a persona's turn.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import openai
import pytest
from pydantic import BaseModel

from tests.contract.clients.support import HELLO, TIME, USER, WEATHER, WIRES, async_client, client, seen, tagged
from tests.harness import Gateway
from tests.surfaces.openai.support import DOT

pytestmark = pytest.mark.parametrize("wire", WIRES)


class Trip(BaseModel):
    city: str
    days: int


@pytest.fixture(params=["plain", "persona"])
def subject(request: pytest.FixtureRequest) -> str | None:
    """Nobody for a pass-through, somebody for a persona's turn."""
    return f"python-{uuid4().hex[:12]}" if request.param == "persona" else None


def test_create__buffered__is_a_completion(front: Gateway, wire: str, subject: str | None) -> None:
    with client(front.acme, subject) as ai:
        answer = ai.chat.completions.create(model=f"{wire}/fake:normal", messages=[USER])
    (choice,) = answer.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", HELLO, "stop")
    assert choice.message.tool_calls is None
    assert answer.object == "chat.completion"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    assert (answer._request_id or "").startswith("req_")


@pytest.mark.parametrize("show_usage", [False, True])
def test_create__streamed__is_chunks_with_at_most_one_usage(
    front: Gateway, wire: str, subject: str | None, show_usage: bool
) -> None:
    more: Any = {"stream_options": {"include_usage": True}} if show_usage else {}
    with client(front.acme, subject) as ai:
        chunks = list(ai.chat.completions.create(model=f"{wire}/fake:normal", messages=[USER], stream=True, **more))
    if show_usage:
        last = chunks.pop()
        assert (last.choices, last.usage is not None) == ([], True)
    assert {len(chunk.choices) for chunk in chunks} == {1}
    assert all(not chunk.usage for chunk in chunks)
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == HELLO
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["stop"]


def test_create__async__buffered_and_streamed_side_by_side(front: Gateway, wire: str, subject: str | None) -> None:
    async def whole(ai: Any) -> str:
        answer = await ai.chat.completions.create(model=f"{wire}/fake:normal", messages=[USER])
        return str(answer.choices[0].message.content)

    async def streamed(ai: Any) -> str:
        stream = await ai.chat.completions.create(model=f"{wire}/fake:normal", messages=[USER], stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def run() -> list[str]:
        async with async_client(front.acme, subject) as ai:
            return await asyncio.gather(*(way(ai) for way in (whole, streamed) * 3))

    assert asyncio.run(run()) == [HELLO] * 6


def test_tools__there_and_back__reach_the_caller_and_the_model(
    front: Gateway, upstream: Any, wire: str, subject: str | None
) -> None:
    model, tag = tagged(f"{wire}/fake:tools,case=offered")
    with client(front.acme, subject) as ai:
        first = ai.chat.completions.create(model=model, messages=[USER], tools=[WEATHER], tool_choice="auto")
        assert first.choices[0].finish_reason == "tool_calls"
        (call,) = first.choices[0].message.tool_calls or ()
        assert call.type == "function"
        assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Berlin"})
        result: Any = {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}
        history: list[Any] = [USER, first.choices[0].message, result]
        second = ai.chat.completions.create(model=f"{wire}/fake:normal,tag={tag}", messages=history, tools=[WEATHER])
    assert second.choices[0].message.content == HELLO
    told = json.dumps(seen(upstream, tag)[-1]["body"]["messages"])
    assert told.count(call.id) == 2
    assert "21 degrees" in told


@pytest.mark.parametrize("stream", [False, True])
def test_tools__two_at_once__keep_their_own_ids_and_arguments(
    front: Gateway, wire: str, subject: str | None, stream: bool
) -> None:
    asked: dict[str, Any] = {
        "model": f"{wire}/fake:tools,case=offered-parallel", "messages": [USER], "tools": [WEATHER, TIME],
    }  # fmt: skip
    with client(front.acme, subject) as ai:
        if stream:
            with ai.chat.completions.stream(**asked) as events:
                answer: Any = events.until_done().get_final_completion()
        else:
            answer = ai.chat.completions.create(**asked)
    calls = answer.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["get_weather", "get_time"]
    assert [json.loads(call.function.arguments) for call in calls] == [{"city": "Berlin"}] * 2
    assert len({call.id for call in calls}) == 2
    assert answer.choices[0].finish_reason == "tool_calls"


def test_parse__a_schema__gives_the_object(front: Gateway, upstream: Any, wire: str, subject: str | None) -> None:
    model, tag = tagged(f"{wire}/fake:json")
    with client(front.acme, subject) as ai:
        answer = ai.chat.completions.parse(model=model, messages=[USER], response_format=Trip)
        with ai.chat.completions.stream(model=model, messages=[USER], response_format=Trip) as events:
            streamed = events.until_done().get_final_completion()
    assert answer.choices[0].message.parsed == Trip(city="Berlin", days=3)
    assert streamed.choices[0].message.parsed == Trip(city="Berlin", days=3)
    assert all('"days"' in json.dumps(call["body"]) for call in seen(upstream, tag))


def test_parse__the_model_refuses__says_so_and_gives_no_object(front: Gateway, wire: str, subject: str | None) -> None:
    if wire == "anthropic":
        model, kind = f"{wire}/fake:refusal", openai.ContentFilterFinishReasonError
    else:
        model, kind = f"{wire}/fake:refusal,finish=stop", None
    with client(front.acme, subject) as ai:
        if kind is not None:
            with pytest.raises(kind):
                ai.chat.completions.parse(model=model, messages=[USER], response_format=Trip)
            return
        whole = ai.chat.completions.parse(model=model, messages=[USER], response_format=Trip)
        with ai.chat.completions.stream(model=model, messages=[USER], response_format=Trip) as events:
            streamed = events.until_done().get_final_completion()
    for answer in (whole, streamed):
        assert answer.choices[0].message.refusal == "I cannot help with that."
        assert answer.choices[0].message.parsed is None


def test_comments__between_the_frames__are_no_chunks(front: Gateway, wire: str, subject: str | None) -> None:
    with client(front.acme, subject) as ai:
        model = f"{wire}/fake:normal,comments=1"
        chunks = list(ai.chat.completions.create(model=model, messages=[USER], stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == HELLO


def test_images__as_parts__reach_the_model(front: Gateway, wire: str, subject: str | None) -> None:
    parts: Any = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": DOT}}]
    with client(front.acme, subject) as ai:
        answer = ai.chat.completions.create(model=f"{wire}/fake:images", messages=[{"role": "user", "content": parts}])
    (image,) = json.loads(answer.choices[0].message.content or "")
    assert DOT.partition(",")[2] in json.dumps(image)


def test_create__with_every_null_and_old_name__is_accepted(front: Gateway, wire: str, subject: str | None) -> None:
    messages: Any = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "hello"}]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Rome"}'}},
        ]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
        {"role": "user", "content": "and now?"},
    ]  # fmt: skip
    nulls: Any = {"stop": None, "temperature": None, "tool_choice": None, "response_format": None, "user": None}
    with client(front.acme, subject) as ai:
        for more in ({"max_tokens": 20, "stop": "END"}, {"max_completion_tokens": 20, "stop": ["END", "STOP"]}, nulls):
            answer = ai.chat.completions.create(model=f"{wire}/fake:normal", messages=messages, tools=[WEATHER], **more)
            assert answer.choices[0].message.content == HELLO
