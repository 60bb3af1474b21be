"""The few fields of an Anthropic body that the gateway reads before it knows what the call is."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from gateway.core.errors import BadRequest, FieldProblem
from gateway.surfaces.openai.envelope import Ours, Tokens, decode


class Counted(msgspec.Struct, kw_only=True):
    """What is read of a prompt whose tokens are to be counted."""

    model: str
    messages: list[msgspec.Raw]


class Envelope(Ours, kw_only=True):
    """What is read of a message's request. The rest of the body is not looked at."""

    model: str
    messages: list[msgspec.Raw]
    max_tokens: Tokens
    stream: bool | None = None


class Options(msgspec.Struct):
    """The options of a persona's turn whose types matter before the model sees them."""

    model: Annotated[str, Meta(min_length=1, max_length=200)]
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    stop_sequences: list[str] | None = None
    tools: Annotated[list[dict[str, Any]], Meta(max_length=128)] | None = None
    metadata: dict[str, Any] | None = None


_message, _counted = msgspec.json.Decoder(Envelope), msgspec.json.Decoder(Counted)


def read(body: bytes) -> Envelope:
    """The envelope of a message. Raises BadRequest naming the field."""
    envelope = decode(_message, body)
    _refuse_silence(envelope.messages)
    return envelope


def read_counted(body: bytes) -> Counted:
    """The envelope of a count. Raises BadRequest naming the field."""
    envelope = decode(_counted, body)
    _refuse_silence(envelope.messages)
    return envelope


def _refuse_silence(messages: list[msgspec.Raw]) -> None:
    if not messages:
        problem = FieldProblem("#/messages", "too_short", "must hold at least one message")
        raise BadRequest("messages: at least one message is required.", problems=(problem,))
