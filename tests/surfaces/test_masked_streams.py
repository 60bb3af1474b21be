"""A persona's stream in each dialect, cut anywhere: what the caller puts together is what masking the whole text gives,
and no frame of it ever holds a part of what was masked.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.core import ids
from gateway.core.endpoint import Call
from gateway.engine.chat.reader import Reader
from gateway.engine.chat.types import Answer, Event, Usage
from gateway.governance.policies.merge import merge
from gateway.governance.policies.redaction import redact
from gateway.governance.policies.types import RequestedPolicy
from gateway.platform.providers.messages_shape import MessageWriter
from gateway.platform.providers.responses_shape import ResponseWriter
from gateway.platform.providers.types import ModelDelta
from gateway.surfaces import persona_turn
from gateway.surfaces.openai import answers

TEXT = (
    "Your card 4111 1111 1111 1111 is on file, Zoë; write to ada@example.com or call +49 30 901820. The account is "
    "DE89 3704 0044 0532 0130 00, the key sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH, the host 192.0.2.17 ✓."
)
SECRETS = ("4111 1111", "ada@example", "3704 0044", "sk-proj-abc", "192.0.2.17", "901820")
CALL = Call(ids.uuid7(), "openai")
START = Event("message.start", {"model": "m", "persona_id": "p", "persona_version": 1, "conversation_id": "conv_1"})
DIALECTS = ["chat", "responses", "messages"]


async def events_of(pieces: Iterable[str], mode: str) -> AsyncIterator[Event]:
    """What the engine makes of a model that says these pieces."""
    persona = SimpleNamespace(cartridge=SimpleNamespace(safety_redirects=()))
    policy = merge([], request=RequestedPolicy(redact_mode=mode))
    prepared: Any = SimpleNamespace(recall=SimpleNamespace(memories=()), policy=policy, persona=persona)
    reader = Reader(prepared, SimpleNamespace(seen_bytes=0, usage=None))  # type: ignore[arg-type]
    yield START
    for piece in pieces:
        for event in reader.feed(ModelDelta(piece)):
            yield event
    for event in reader.finish():
        yield event
    usage = Usage(1, 1, 0, cache_hit=False)
    answer = Answer(CALL.request_id, "m", "p", 1, "conv_1", reader.content, (), "stop", (), (), (), usage)
    yield Event("message.done", {}, answer)


def frames_of(dialect: str, events: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    if dialect == "chat":
        return answers.frames(events, CALL, show_usage=False)

    def writer(model: str) -> Any:
        if dialect == "messages":
            return MessageWriter(answer_id="1", model=model)
        return ResponseWriter(answer_id="1", model=model, asked={})

    return persona_turn.frames(events, writer, lambda error, _: repr(error).encode())


def texts_of(dialect: str, data: list[dict[str, Any]]) -> list[str]:
    if dialect == "chat":
        return [chunk["choices"][0]["delta"].get("content") or "" for chunk in data]
    if dialect == "responses":
        return [event["delta"] for event in data if event["type"] == "response.output_text.delta"]
    return [event["delta"]["text"] for event in data if event["type"] == "content_block_delta"]


async def heard(dialect: str, pieces: Iterable[str], mode: str) -> tuple[str, bytes]:
    """(what a client of the dialect puts together, all the bytes that it got)."""
    raw = b"".join([frame async for frame in frames_of(dialect, events_of(pieces, mode))])
    lines = (line.removeprefix(b"data: ") for line in raw.split(b"\n") if line.startswith(b"data: {"))
    return "".join(texts_of(dialect, [json.loads(line) for line in lines])), raw


@pytest.mark.parametrize("mode", ["default", "strict"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_stream__cut_at_every_place__is_masked_as_the_whole(dialect: str, mode: str) -> None:
    masked = redact(TEXT, mode)
    assert masked != TEXT
    hidden = [secret for secret in SECRETS if secret not in masked]
    assert len(hidden) == (len(SECRETS) if mode == "strict" else 3)

    async def scene() -> None:
        cuts: list[Iterable[str]] = [(TEXT[:at], TEXT[at:]) for at in range(len(TEXT) + 1)]
        cuts += [(TEXT[:at], TEXT[at : at + 3], TEXT[at + 3 :]) for at in range(len(TEXT))]
        for pieces in (*cuts, TEXT):
            text, raw = await heard(dialect, pieces, mode)
            assert text == masked, pieces
            assert not [secret for secret in hidden if secret.encode() in raw], pieces

    asyncio.run(scene())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_stream__without_masking__is_the_text(dialect: str) -> None:
    assert asyncio.run(heard(dialect, TEXT, "off"))[0] == TEXT
