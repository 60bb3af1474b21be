"""The official Anthropic client for Python, unchanged but for its base URL: what it sends and what it makes of the
answer.

Each case runs over both provider wires, as a pass-through and as a persona's turn.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel

from tests.contract.clients.support import (
    HELLO,
    THEIRS,
    USER,
    WIRES,
    anthropic_client,
    async_anthropic_client,
    seen,
    tagged,
)
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


def asked(wire: str, scenario: str = "normal", **more: Any) -> dict[str, Any]:
    return {"model": f"{wire}/fake:{scenario}", "max_tokens": 100, "messages": [USER], **more}


def test_create__buffered__is_a_message(front: Gateway, wire: str, subject: str | None) -> None:
    with anthropic_client(front.acme, subject) as ai:
        message = ai.messages.create(**asked(wire, "normal,cached=3"))
    (block,) = message.content
    assert (message.type, message.role, message.stop_reason) == ("message", "assistant", "end_turn")
    assert (block.type, getattr(block, "text", None)) == ("text", HELLO)
    assert message.usage.output_tokens > 0
    assert message.usage.cache_read_input_tokens == 3
    assert (message._request_id or "").startswith("req_")


def test_create__with_the_key_as_a_bearer__is_the_same(front: Gateway, wire: str) -> None:
    acme = front.acme
    with anthropic_client(acme, api_key=None, auth_token=acme.api_key) as ai:
        assert ai.messages.create(**asked(wire)).content


def test_stream__its_events__come_in_order(front: Gateway, wire: str, subject: str | None) -> None:
    with anthropic_client(front.acme, subject) as ai:
        events = list(ai.messages.create(**asked(wire), stream=True))
    names = [event.type for event in events]
    inner = [name for name in names if name != "content_block_delta"]
    assert inner == ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"]
    text = "".join(event.delta.text for event in events if event.type == "content_block_delta")  # type: ignore[union-attr]
    assert text == HELLO
    assert events[0].message.content == []  # type: ignore[union-attr]


def test_stream__through_the_helper__gathers_the_message(front: Gateway, wire: str, subject: str | None) -> None:
    with (
        anthropic_client(front.acme, subject) as ai,
        ai.messages.stream(**asked(wire, "normal,cached=3")) as stream,
    ):
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert text == HELLO == message.content[0].text  # type: ignore[union-attr]
    assert (message.stop_reason, message.usage.cache_read_input_tokens) == ("end_turn", 3)
    assert message.usage.output_tokens > 1


def test_async__buffered_and_streamed__side_by_side(front: Gateway, wire: str, subject: str | None) -> None:
    async def whole(ai: Any) -> str:
        return str((await ai.messages.create(**asked(wire))).content[0].text)

    async def streamed(ai: Any) -> str:
        async with ai.messages.stream(**asked(wire)) as stream:
            return str(await stream.get_final_text())

    async def run() -> list[str]:
        async with async_anthropic_client(front.acme, subject) as ai:
            return await asyncio.gather(*(way(ai) for way in (whole, streamed) * 3))

    assert asyncio.run(run()) == [HELLO] * 6


def test_tools__there_and_back__reach_the_caller_and_the_model(
    front: Gateway, upstream: Any, wire: str, subject: str | None
) -> None:
    _, tag = tagged("")
    tools = THEIRS[:1]
    with anthropic_client(front.acme, subject) as ai:
        first = ai.messages.create(**asked(wire, f"tools,case=offered,tag={tag}", tools=tools))
        assert first.stop_reason == "tool_use"
        call = next(block for block in first.content if block.type == "tool_use")
        assert (call.name, call.input) == ("get_weather", {"city": "Berlin"})
        result: Any = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "21 °C"}]}
        history: list[Any] = [
            USER,
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": [result, {"type": "text", "text": "and now?"}]},
        ]
        second = ai.messages.create(**asked(wire, f"normal,tag={tag}", tools=tools, messages=history))
    assert second.content[0].text == HELLO  # type: ignore[union-attr]
    told = json.dumps(seen(upstream, tag)[-1]["body"]["messages"], ensure_ascii=False)
    assert told.count(call.id) == 2
    assert "21 °C" in told


@pytest.mark.parametrize("stream", [False, True])
def test_tools__two_at_once__keep_their_own_ids_and_arguments(
    front: Gateway, wire: str, subject: str | None, stream: bool
) -> None:
    wanted = asked(wire, "tools,case=offered-parallel", tools=THEIRS)
    with anthropic_client(front.acme, subject) as ai:
        if stream:
            with ai.messages.stream(**wanted) as events:
                message: Any = events.get_final_message()
        else:
            message = ai.messages.create(**wanted)
    calls = [block for block in message.content if block.type == "tool_use"]
    assert [(call.name, call.input) for call in calls] == [
        ("get_weather", {"city": "Berlin"}),
        ("get_time", {"city": "Berlin"}),
    ]
    assert len({call.id for call in calls}) == 2
    assert message.stop_reason == "tool_use"


def test_parse__a_schema__gives_the_object(front: Gateway, upstream: Any, wire: str, subject: str | None) -> None:
    _, tag = tagged("")
    wanted = asked(wire, f"json,tag={tag}", output_format=Trip)
    with anthropic_client(front.acme, subject) as ai:
        parsed = ai.messages.parse(**wanted)
        with ai.messages.stream(**wanted) as events:
            streamed = events.get_final_message()
    assert parsed.parsed_output == streamed.parsed_output == Trip(city="Berlin", days=3)
    assert all('"days"' in json.dumps(call["body"]) for call in seen(upstream, tag))


def test_images__as_blocks__reach_the_model(front: Gateway, wire: str, subject: str | None) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": DOT.partition(",")[2]}
    content = [{"type": "text", "text": "What is this?"}, {"type": "image", "source": source}]
    with anthropic_client(front.acme, subject) as ai:
        message = ai.messages.create(**asked(wire, "images", messages=[{"role": "user", "content": content}]))
    (image,) = json.loads(message.content[0].text)  # type: ignore[union-attr]
    assert DOT.partition(",")[2] in json.dumps(image)


@pytest.mark.parametrize("stream", [False, True])
def test_thinking__is_a_block_before_the_text__unless_a_persona_speaks(
    front: Gateway, wire: str, subject: str | None, stream: bool
) -> None:
    wanted = asked(wire, "reasoning", thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2048)
    with anthropic_client(front.acme, subject) as ai:
        if stream:
            with ai.messages.stream(**wanted) as events:
                message: Any = events.get_final_message()
        else:
            message = ai.messages.create(**wanted)
    assert [block.type for block in message.content] == (["text"] if subject else ["thinking", "text"])
    if not subject:
        assert message.content[0].thinking == "Let me think."
        assert message.content[0].signature == ("c2lnbmVk" if wire == "anthropic" else "")


def test_thinking__of_an_earlier_turn__goes_back_with_its_signature(front: Gateway, upstream: Any, wire: str) -> None:
    _, tag = tagged("")
    with anthropic_client(front.acme) as ai:
        first = ai.messages.create(**asked(wire, "reasoning"))
        history = [USER, {"role": "assistant", "content": first.content}, USER]
        ai.messages.create(**asked(wire, f"normal,tag={tag}", messages=history))
    told = json.dumps(seen(upstream, tag)[-1]["body"])
    assert ("c2lnbmVk" in told) == (wire == "anthropic")


def test_system_and_sampling__reach_the_model(front: Gateway, upstream: Any, wire: str, subject: str | None) -> None:
    _, tag = tagged("")
    with anthropic_client(front.acme, subject) as ai:
        ai.messages.create(
            **asked(
                wire, f"normal,tag={tag}", stop_sequences=["END"],
                system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            )
        )  # fmt: skip
    (call,) = seen(upstream, tag)
    assert "Be brief." in json.dumps(call["body"])
    assert call["body"]["stop" if wire == "openai" else "stop_sequences"] == ["END"]
    assert call["body"]["max_tokens"] == 100


def test_count_tokens__of_a_model__is_a_number(front: Gateway, upstream: Any, wire: str) -> None:
    _, tag = tagged("")
    wanted: dict[str, Any] = {"model": f"{wire}/fake:normal,tag={tag}", "messages": [USER], "tools": THEIRS}
    with anthropic_client(front.acme) as ai:
        raw = ai.messages.with_raw_response.count_tokens(**wanted)
    assert raw.parse().input_tokens > 0
    assert raw.headers.get("x-ikiro-estimated") == ("input_tokens" if wire == "openai" else None)
    assert len(seen(upstream, tag)) == (1 if wire == "anthropic" else 0)


def test_beta__its_names__reach_anthropic_and_nobody_else(front: Gateway, upstream: Any, wire: str) -> None:
    _, tag = tagged("")
    with anthropic_client(front.acme) as ai:
        ai.beta.messages.create(**asked(wire, f"normal,tag={tag}"), betas=["new-thing-2026-01-01", "another-1"])
    (call,) = seen(upstream, tag)
    shown = call["headers"].get("anthropic-beta")
    assert shown == ("new-thing-2026-01-01,another-1" if wire == "anthropic" else None)
    assert not {"anthropic_beta", "anthropic_version"} & set(call["body"])
    if wire == "anthropic":
        assert call["headers"]["anthropic-version"] == "2026-10-21"
    assert front.acme.api_key not in json.dumps(call)


def test_persona__its_extras__stand_beside_what_the_client_knows(front: Gateway, wire: str) -> None:
    with anthropic_client(front.acme, f"python-{uuid4().hex[:12]}") as ai:
        whole: Any = ai.messages.create(**asked(wire))
        deltas = [event for event in ai.messages.create(**asked(wire), stream=True) if event.type == "message_delta"]
    assert whole.model_extra["persona_id"] == "brand-default"
    assert whole.model_extra["conversation_id"].startswith("conv_")
    assert whole.model_extra["citations"] == []
    assert (deltas[0].model_extra or {})["proposedWrites"] == []
