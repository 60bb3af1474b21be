"""One side of an overlay on the wire: what may be written, also by who tries a draft without writing it."""

from __future__ import annotations

from typing import Annotated

from ninja import Schema
from pydantic import AfterValidator, ConfigDict, Field

from gateway.core.wire import Number, Whole
from gateway.governance.policies.documents import from_json
from gateway.governance.policies.guardrails.wire import GuardrailsIn
from gateway.governance.policies.types import Approval, Fields, RedactMode

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
