"""Shapes of policies on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from ninja import Schema
from pydantic import AfterValidator, ConfigDict, Field

from gateway.core.wire import Number, Whole
from gateway.governance.policies.documents import from_json, to_json
from gateway.governance.policies.types import Approval, Fields, Overlay, RedactMode

_MOST = 50


def _storable(text: str) -> str:
    if "\0" in text or not text.strip():
        raise ValueError("must not be blank or contain NUL characters")
    return text


Sentence = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_storable)]
Name = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_storable)]


class WritesIn(Schema):
    """Which proposed writes wait for a person."""

    model_config = ConfigDict(extra="forbid")
    approval: Approval | None = None
    auto_types: list[Name] | None = Field(default=None, max_length=_MOST, description="Types that may go ahead; globs.")
    min_confidence: Number | None = Field(default=None, ge=0, le=1)


class FieldsIn(Schema):
    """One side of an overlay, locks or defaults. A field that is left out says nothing."""

    model_config = ConfigDict(extra="forbid")
    do: list[Sentence] = Field(default=[], max_length=_MOST)
    dont: list[Sentence] = Field(default=[], max_length=_MOST)
    disclaimers: list[Sentence] = Field(default=[], max_length=_MOST)
    redact_mode: RedactMode | None = None
    memory_scopes: list[Name] | None = Field(
        default=None, max_length=_MOST, description="The sources that may be recalled from."
    )
    allowed_models: list[Name] | None = Field(default=None, max_length=_MOST, description="Globs, such as openai/*.")
    denied_models: list[Name] = Field(default=[], max_length=_MOST)
    writes: WritesIn | None = None
    max_output_tokens: Whole | None = Field(default=None, ge=1, le=1_000_000)

    def fields(self) -> Fields:
        return from_json(self.model_dump(exclude_none=True, mode="json"))


class OverlayIn(Schema):
    """The whole overlay; what is left out is removed."""

    model_config = ConfigDict(extra="forbid")
    locks: FieldsIn = FieldsIn()
    defaults: FieldsIn = FieldsIn()
    precedence: Whole = Field(default=50, ge=0, le=100)
    expected_version: Whole | None = Field(default=None, ge=0, le=2**31 - 1)


class OverlayOut(Schema):
    """One overlay. ``id`` and ``updated_at`` are null as long as nobody has written it."""

    id: str | None
    level: str
    target: str
    locks: dict[str, Any]
    defaults: dict[str, Any]
    precedence: int
    version: int
    updated_at: datetime | None
    updated_by: str

    @classmethod
    def of(cls, overlay: Overlay) -> OverlayOut:
        return cls(
            id=overlay.public_id, level=overlay.level, target=overlay.target, locks=to_json(overlay.locks),
            defaults=to_json(overlay.defaults), precedence=overlay.precedence, version=overlay.version,
            updated_at=overlay.updated_at, updated_by=overlay.updated_by,
        )  # fmt: skip
