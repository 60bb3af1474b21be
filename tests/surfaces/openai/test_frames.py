"""The chunks of a persona's stream, made of the engine's events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.core import ids
from gateway.core.endpoint import Call
from gateway.core.errors import Unavailable
from gateway.engine.chat.types import Answer, Event, Usage
from gateway.surfaces import sse
from gateway.surfaces.openai import answers

CALL = Call(ids.uuid7(), "openai")
START = Event("message.start", {"model": "m", "persona_id": "p", "persona_version": 1, "conversation_id": "conv_1"})
DONE = Event(
    "message.done",
    {},
    Answer(
        CALL.request_id, "m", "p", 1, "conv_1", "No.", (), "stop", (), (), (), Usage(3, 2, 0, False, 1), refused=True
    ),
)


async def slowly(*events: Event | Exception, pause: float = 0.0) -> AsyncIterator[Event]:
    for event in events:
        await asyncio.sleep(pause)
        if isinstance(event, Exception):
            raise event
        yield event


def written(events: AsyncIterator[Event], *, show_usage: bool = False, heartbeats: bool = False) -> list[bytes]:
    async def run() -> list[bytes]:
        frames = answers.frames(events, CALL, show_usage=show_usage)
        return [frame async for frame in (sse.with_heartbeats(frames) if heartbeats else frames)]

    return asyncio.run(run())


def data(frames: list[bytes]) -> list[Any]:
    return [json.loads(frame.removeprefix(b"data: ")) for frame in frames if frame.startswith(b"data: {")]


def test_frames__while_nothing_is_said__are_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT_S", 0.02)
    frames = written(slowly(START, DONE, pause=0.15), heartbeats=True)
    assert frames.count(b": heartbeat\n\n") >= 2
    assert [frame for frame in frames if frame != b": heartbeat\n\n"][-1] == b"data: [DONE]\n\n"


def test_frames__of_a_refusal__are_no_content() -> None:
    said = Event("content.delta", {"index": 0, "delta": {"content": "No."}, "refusal": True})
    chunks = data(written(slowly(START, said, DONE)))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas == [{"role": "assistant", "content": ""}, {"refusal": "No."}, {}]
    assert DONE.answer is not None
    message = answers.completion(DONE.answer)["choices"][0]["message"]
    assert message == {"role": "assistant", "content": None, "refusal": "No."}


def test_frames__with_usage__end_with_one_chunk_of_it() -> None:
    *chunks, last = data(written(slowly(START, DONE), show_usage=True))
    assert last["choices"] == []
    assert last["usage"]["prompt_tokens_details"] == {"cached_tokens": 1}
    assert last["usage"]["total_tokens"] == 5
    assert not any("usage" in chunk for chunk in chunks)


@pytest.mark.parametrize("failure", [Unavailable("A store is away."), ValueError("a secret of ours")])
def test_frames__that_fail__end_with_the_error_alone(failure: Exception) -> None:
    frames = written(slowly(START, failure), show_usage=True)
    assert len(frames) == 2
    (error,) = data(frames)[1:]
    assert set(error) == {"error"}
    assert "secret" not in error["error"]["message"]
    assert error["error"]["request_id"] == ids.public("req", CALL.request_id)
