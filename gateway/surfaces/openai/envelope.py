"""The few fields of a vendor's body that the gateway reads before it knows what the call is."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import astuple

from gateway.core.errors import BadRequest, FieldProblem
from gateway.surfaces.parsing import malformed

Tokens = Annotated[int, Meta(ge=1, le=2**31 - 1)]
PersonaId = Annotated[str, Meta(min_length=1, max_length=80)]
SubjectId = Annotated[str, Meta(min_length=1, max_length=128)]
ScopeName = Annotated[str, Meta(min_length=1, max_length=128)]
Scopes = Annotated[list[ScopeName], Meta(max_length=50)]
PersonaMode = Literal["direct", "group"]
T = TypeVar("T")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")


class Ours(msgspec.Struct, kw_only=True):
    """The seven fields that are ours, for clients that can send more than their vendor knows (``extra_body``)."""

    persona_id: PersonaId | UnsetType | None = UNSET
    subject_id: SubjectId | UnsetType | None = UNSET
    memory_scopes: Scopes | UnsetType | None = UNSET
    conversation_id: Annotated[str, Meta(max_length=64)] | UnsetType | None = UNSET
    persona_version: Tokens | UnsetType | None = UNSET
    redact_mode: Literal["off", "default", "strict"] | UnsetType | None = UNSET
    persona_mode: PersonaMode | UnsetType | None = UNSET

    @property
    def has_ours(self) -> bool:
        """Whether any of our keys is in the body, be it as null. Asked of every pass-through, hence not key by key."""
        return astuple(self)[: len(OURS)] != _NONE_OF_OURS


class Envelope(Ours, kw_only=True):
    """What is read of a chat completion. The rest of the body is not looked at."""

    model: str
    messages: list[msgspec.Raw]
    stream: bool | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None


class ResponseEnvelope(Ours, kw_only=True):
    """What is read of a response's request."""

    model: str
    input: msgspec.Raw = msgspec.Raw(b"null")
    stream: bool | None = None
    max_output_tokens: Tokens | None = None


class EmbeddingEnvelope(msgspec.Struct, kw_only=True):
    """What is read of a request for embeddings."""

    model: str
    input: msgspec.Raw


OURS = (
    "persona_id", "subject_id", "memory_scopes", "conversation_id", "persona_version", "redact_mode", "persona_mode",
)  # fmt: skip
_NONE_OF_OURS = (UNSET,) * len(OURS)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Any envelope. Raises BadRequest: ``malformed_json``, or naming the field."""
    try:
        if not body.isascii():
            body.decode()  # the messages pass unread, and must not be the first to notice that this is no text
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise invalid(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(str(error)) from None


_chat = msgspec.json.Decoder(Envelope)
_response, _embedding = msgspec.json.Decoder(ResponseEnvelope), msgspec.json.Decoder(EmbeddingEnvelope)


def read(body: bytes) -> Envelope:
    """The envelope of a chat completion. Raises BadRequest."""
    envelope = decode(_chat, body)
    if not envelope.messages:
        problem = FieldProblem("#/messages", "too_short", "must hold at least one message")
        raise BadRequest("messages must hold at least one message.", problems=(problem,))
    return envelope


def read_response(body: bytes) -> ResponseEnvelope:
    """The envelope of a response's request. Raises BadRequest."""
    return decode(_response, body)


def read_embedding(body: bytes) -> EmbeddingEnvelope:
    """The envelope of a request for embeddings. Raises BadRequest."""
    return decode(_embedding, body)


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
