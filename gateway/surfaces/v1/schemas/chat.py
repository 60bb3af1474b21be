"""The body of `POST /v1/chat` and the shapes it answers with."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ninja import Field, Schema
from pydantic import BaseModel, BeforeValidator, ConfigDict, field_validator

from gateway.core.wire import Flag, Number, Whole
from gateway.engine.chat.types import MAX_MESSAGES


def _content(value: Any) -> Any:
    """Checked as a whole, so that the refusal names the field and not one of the types that it is not."""
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
        raise ValueError("must be text, a list of content parts, or null")
    if not all(isinstance(part.get("text"), str) for part in value if part.get("type") == "text"):
        raise ValueError("a part of type text needs its text")
    return value


Content = Annotated[str | list[dict[str, Any]] | None, BeforeValidator(_content)]
Name = Annotated[str, Field(min_length=1, max_length=128)]
MetadataKey = Annotated[str, Field(max_length=64)]
MetadataValue = Annotated[str, Field(max_length=512)]


class MessageIn(BaseModel):  # Ninja's own Schema drops extra fields
    """One message in OpenAI's shape; unknown fields travel on to the model."""

    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Content = None


class ChatIn(Schema):
    """One turn."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(min_length=1, max_length=200, examples=["ikiro/sandbox"])
    persona_id: str = Field(
        min_length=1, max_length=80, examples=["brand-default"], description="`id`, or `id@version`."
    )
    subject_id: str = Field(min_length=1, max_length=128, examples=["usr_123"])
    memory_scopes: list[Name] | None = Field(None, max_length=50)
    messages: list[MessageIn] = Field(min_length=1, max_length=MAX_MESSAGES)
    stream: Flag | None = False
    redact_mode: Literal["off", "default", "strict"] | None = None
    conversation_id: str | None = Field(None, max_length=64)
    persona_version: Whole | None = Field(None, ge=1, le=2**31 - 1)
    persona_mode: Literal["direct", "group"] | None = Field(None, description="`group`: several people read along.")
    max_tokens: Whole | None = Field(None, ge=1, le=1_000_000)
    temperature: Number | None = Field(None, ge=0, le=2)
    tools: list[dict[str, Any]] | None = Field(None, max_length=128)
    tool_choice: str | dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None
    metadata: dict[MetadataKey, MetadataValue] | None = Field(None, max_length=16)

    @field_validator("subject_id")
    @classmethod
    def _printable(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("must be printable characters")
        return value


class CitationOut(Schema):
    factId: str  # noqa: N815 - the wire's name
    uri: str
    confidence: float
    snippet: str | None = None
    span: list[int] | None = None


class ProposedWriteOut(Schema):
    proposal_id: str
    type: str
    payload: dict[str, Any]
    provenance: dict[str, Any]


class UsageOut(Schema):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    memory_recalls: int
    cache_hit: bool


class ChatOut(Schema):
    """The whole answer; also the data of the stream's `message.done`."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["chat"]
    model: str
    persona_id: str
    persona_version: int
    conversation_id: str
    choices: list[dict[str, Any]]
    citations: list[CitationOut]
    proposedWrites: list[ProposedWriteOut]  # noqa: N815 - the wire's name
    usage: UsageOut
    request_id: str
