"""What ``POST /v1/packs/precompose`` takes and answers."""

from __future__ import annotations

from typing import Any, Literal

from ninja import Field, Schema
from pydantic import ConfigDict, field_validator

from gateway.core.wire import Whole
from gateway.surfaces.v1.schemas.chat import CitationOut, Name

MAX_QUERY = 16_000


class PackIn(Schema):
    """The question that the pack is for; ``model``, where given, is held against the policy."""

    model_config = ConfigDict(extra="forbid")

    persona_id: str = Field(min_length=1, max_length=80, examples=["brand-default"])
    subject_id: str = Field(min_length=1, max_length=128, examples=["usr_123"])
    query: str = Field(min_length=1, max_length=MAX_QUERY)
    memory_scopes: list[Name] | None = Field(None, max_length=50)
    persona_version: Whole | None = Field(None, ge=1, le=2**31 - 1)
    persona_mode: Literal["direct", "group"] | None = None
    redact_mode: Literal["off", "default", "strict"] | None = None
    model: str | None = Field(None, min_length=1, max_length=200)

    @field_validator("subject_id")
    @classmethod
    def _printable(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("must be printable characters")
        return value


class PackOut(Schema):
    """``memories`` says what each marker in the context stands for; ``redirect`` is what the persona answers this
    question with instead of a model, null where it asks one; ``decisions`` is the decision record; ``loses`` has a
    sentence for everything that only a call through the gateway has."""

    system_prompt: str
    context_messages: list[dict[str, Any]]
    ttl: int
    persona_id: str
    persona_version: int
    memories: dict[str, CitationOut]
    cache_hit: bool
    degraded: bool
    redirect: str | None
    loses: dict[str, str]
    decisions: list[dict[str, Any]]
    request_id: str
