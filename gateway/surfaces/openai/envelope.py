"""The few fields of an OpenAI body that the gateway reads before it knows what the call is."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import astuple

from gateway.core.errors import BadRequest, FieldProblem
from gateway.surfaces.parsing import malformed

Tokens = Annotated[int, Meta(ge=1, le=2**31 - 1)]
PersonaId = Annotated[str, Meta(min_length=1, max_length=64)]
SubjectId = Annotated[str, Meta(min_length=1, max_length=128)]
ScopeName = Annotated[str, Meta(min_length=1, max_length=128)]
Scopes = Annotated[list[ScopeName], Meta(max_length=50)]
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")


class Envelope(msgspec.Struct):
    """``model`` and ``messages`` are OpenAI's; the last six are ours, for clients that can send more than OpenAI knows
    (``extra_body``). The rest of the body is not looked at."""

    model: str
    messages: list[msgspec.Raw]
    stream: bool | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    persona_id: PersonaId | UnsetType | None = UNSET
    subject_id: SubjectId | UnsetType | None = UNSET
    memory_scopes: Scopes | UnsetType | None = UNSET
    conversation_id: Annotated[str, Meta(max_length=64)] | UnsetType | None = UNSET
    persona_version: Tokens | UnsetType | None = UNSET
    redact_mode: Literal["off", "default", "strict"] | UnsetType | None = UNSET

    @property
    def has_ours(self) -> bool:
        """Whether any of our keys is in the body, be it as null. Asked of every pass-through, hence not key by key."""
        return astuple(self)[-len(OURS) :] != _NONE_OF_OURS


OURS = ("persona_id", "subject_id", "memory_scopes", "conversation_id", "persona_version", "redact_mode")
_NONE_OF_OURS = (UNSET,) * len(OURS)
_decoder = msgspec.json.Decoder(Envelope)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read(body: bytes) -> Envelope:
    """The envelope. Raises BadRequest: ``malformed_json``, or naming the field."""
    try:
        if not body.isascii():
            body.decode()  # the messages pass unread, and must not be the first to notice that this is no text
        envelope = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise invalid(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(str(error)) from None
    if not envelope.messages:
        problem = FieldProblem("#/messages", "too_short", "must hold at least one message")
        raise BadRequest("messages must hold at least one message.", problems=(problem,))
    return envelope


def without_ours(body: bytes) -> bytes:
    """The body without our fields, which a model's provider would refuse; every other value keeps its bytes."""
    fields = _fields.decode(body)
    return msgspec.json.encode({name: value for name, value in fields.items() if name not in OURS})


def invalid(error: msgspec.ValidationError) -> BadRequest:
    """The refusal that says what msgspec found wrong, with the place as a JSON pointer."""
    message, _, path = str(error).partition(" - at `$")
    steps = [name or index for name, index in _STEP.findall(path.rstrip("`")) if index != "..."]
    if message.startswith("Object missing required field"):
        steps.append(message.split("`")[1])
    told = f"{'.'.join(steps)}: {message}." if steps else f"The body is not valid: {message}."
    return BadRequest(told, problems=(FieldProblem("/".join(["#", *steps]), "invalid", message),))
