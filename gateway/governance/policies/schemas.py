"""Shapes of policies on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import AfterValidator, ConfigDict, Field

from gateway.core import ids
from gateway.core.pagination import Page
from gateway.core.wire import Number, Whole
from gateway.governance.policies.documents import from_json, to_json
from gateway.governance.policies.guardrails.wire import GuardrailsIn
from gateway.governance.policies.types import Approval, Fields, Overlay, RedactMode, Version

_MOST = 50
MAX_DAYS = 36_500


def _storable(text: str) -> str:
    if "\0" in text or not text.strip():
        raise ValueError("must not be blank or contain NUL characters")
    return text


Sentence = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_storable)]
Name = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_storable)]
WriteTarget = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_storable)]


class WritesIn(Schema):
    """Which proposed writes wait for a person."""

    model_config = ConfigDict(extra="forbid")
    approval: Approval | None = None
    auto_types: list[Name] | None = Field(default=None, max_length=_MOST, description="Types that may go ahead; globs.")
    min_confidence: Number | None = Field(default=None, ge=0, le=1)


class RetentionIn(Schema):
    """Days that conversations and stored bodies are kept at most; 0 keeps none. It can only shorten what the
    organization's settings say."""

    model_config = ConfigDict(extra="forbid")
    conversation_days: Whole | None = Field(default=None, ge=0, le=MAX_DAYS)
    body_days: Whole | None = Field(default=None, ge=0, le=MAX_DAYS)


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
    allowed_tools: list[Name] | None = Field(default=None, max_length=_MOST, description="Names of tools; globs.")
    denied_tools: list[Name] = Field(default=[], max_length=_MOST)
    write_targets: list[WriteTarget] | None = Field(
        default=None, max_length=_MOST,
        description="Types of proposals, with a colon and a target where that matters; globs: calendar.create:work*.",
    )  # fmt: skip
    writes: WritesIn | None = None
    max_output_tokens: Whole | None = Field(default=None, ge=1, le=1_000_000)
    retention: RetentionIn | None = None
    guardrails: GuardrailsIn | None = None

    def fields(self) -> Fields:
        return from_json(self.model_dump(exclude_none=True, mode="json"))


class OverlayIn(Schema):
    """The whole overlay; what is left out is removed. With `expected_version` only if that is still its version; 0
    means that there is none yet."""

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


class OverlayPage(Schema):
    data: list[OverlayOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[Overlay]) -> OverlayPage:
        return cls(data=[OverlayOut.of(one) for one in page.data], next_cursor=page.next_cursor)


class OverlayVersionOut(Schema):
    """What an overlay was in one of its versions; ``deleted`` says that this version took it away. ``changed`` names
    the fields that differ from the version before."""

    id: str
    policy_id: str
    level: str
    target: str
    version: int
    locks: dict[str, Any]
    defaults: dict[str, Any]
    precedence: int
    changed: list[str]
    deleted: bool
    written_at: datetime | None
    written_by: str

    @classmethod
    def of(cls, version: Version) -> OverlayVersionOut:
        overlay = version.overlay
        return cls(
            id=ids.public("polv", version.id), policy_id=str(overlay.public_id), level=overlay.level,
            target=overlay.target, version=overlay.version, locks=to_json(overlay.locks),
            defaults=to_json(overlay.defaults), precedence=overlay.precedence, changed=list(version.changed),
            deleted=version.deleted, written_at=overlay.updated_at, written_by=overlay.updated_by,
        )  # fmt: skip


class OverlayVersionPage(Schema):
    data: list[OverlayVersionOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[Version]) -> OverlayVersionPage:
        return cls(data=[OverlayVersionOut.of(one) for one in page.data], next_cursor=page.next_cursor)


LowerLevel = Literal["team", "user", "session"]
