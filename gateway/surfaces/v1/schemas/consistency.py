"""Shapes of golden prompts and their runs on the wire."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Field, Schema
from pydantic import ConfigDict

from gateway.core import ids
from gateway.core.pagination import Page
from gateway.core.wire import Flag, Whole
from gateway.engine.consistency.types import (
    DEFAULT_MODEL,
    DEFAULT_TOLERANCE,
    MAX_CHARS,
    MAX_NAME,
    MAX_PHRASE,
    MAX_PHRASES,
    MAX_PROMPTS,
    MAX_TEXT,
    GoldenPrompt,
    GoldenSet,
    Run,
    VersionStanding,
)

_LARGEST = 2**31 - 1
_Phrase = Annotated[str, Field(min_length=1, max_length=MAX_PHRASE, pattern=r"\S")]
_Model = Annotated[str, Field(min_length=1, max_length=200)]


class GoldenPromptIn(Schema):
    """One question and what its answer is held against. Without a `reference` the answer is compared with what the
    version before said."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=MAX_NAME, pattern=r"\S", examples=["Late parcel"])
    prompt: str = Field(min_length=1, max_length=MAX_TEXT, pattern=r"\S", examples=["Where is my parcel?!"])
    reference: str | None = Field(None, min_length=1, max_length=MAX_TEXT, description="How the persona would say it.")
    contains: list[_Phrase] = Field([], max_length=MAX_PHRASES, description="Words an answer has.")
    not_contains: list[_Phrase] = Field([], max_length=MAX_PHRASES, description="Words that make an answer worth 0.")
    max_chars: Whole | None = Field(None, ge=1, le=MAX_CHARS)

    def golden(self) -> GoldenPrompt:
        return GoldenPrompt(
            self.name, self.prompt, self.reference, tuple(self.contains), tuple(self.not_contains), self.max_chars
        )


class GoldenPromptsIn(Schema):
    """All of a persona's golden prompts. `expected_revision` makes the save conditional, as `If-Match` does."""

    model_config = ConfigDict(extra="forbid")

    prompts: list[GoldenPromptIn] = Field(min_length=1, max_length=MAX_PROMPTS)
    model: _Model = Field(DEFAULT_MODEL, description="Who answers.")
    judge_model: _Model | None = Field(None, description="A model that says which rules an answer keeps.")
    tolerance_percent: Whole = Field(DEFAULT_TOLERANCE, ge=1, le=100, description="How far off is still in character.")
    nightly: Flag = Field(False, description="Ask them of the current version each night (03:00 UTC).")
    required: Flag = Field(False, description="Publish only what was asked and was not off.")
    expected_revision: Whole | None = Field(None, ge=0, le=_LARGEST)

    def settings(self) -> dict[str, Any]:
        return self.model_dump(include={"model", "judge_model", "tolerance_percent", "nightly", "required"})


class GoldenPromptOut(Schema):
    name: str
    prompt: str
    reference: str | None
    contains: list[str]
    not_contains: list[str]
    max_chars: int | None


class GoldenPromptsOut(Schema):
    """`revision` 0: none were saved, and these are the examples of the current version, or of the first draft."""

    persona_id: str
    prompts: list[GoldenPromptOut]
    model: str
    judge_model: str | None
    tolerance_percent: int
    nightly: bool
    required: bool
    revision: int
    updated_at: datetime | None
    updated_by: str | None

    @classmethod
    def of(cls, found: GoldenSet) -> GoldenPromptsOut:
        return cls(**asdict(found))


class ConsistencyRunIn(Schema):
    """`target` is `current`, `draft` or a version's number; the models are those of the golden prompts where they are
    left out."""

    model_config = ConfigDict(extra="forbid")

    target: Literal["current", "draft"] | Annotated[Whole, Field(ge=1, le=_LARGEST)] = "current"
    model: _Model | None = None
    judge_model: _Model | None = None


class ScoresOut(Schema):
    """0 to 1; null where it could not be told."""

    similarity: float | None
    rubric: float | None
    judge: float | None
    consistency: float | None


class CheckOut(Schema):
    name: str
    score: float
    told: str


class ConsistencyReplyOut(Schema):
    """One prompt's answer. `unchecked_rules` are those that only a judge could tell; `judge_broken` those that the
    judge found broken; `judge_problem` why there is no judgement, `similarity_problem` why the answer could not be
    compared, and then its consistency is not told either."""

    name: str
    prompt: str
    request_id: str | None = None
    model: str | None = None
    answer: str | None
    compared_with: str | None = None
    similarity_problem: str | None = None
    scores: ScoresOut | None = None
    checks: list[CheckOut] = []
    unchecked_rules: list[str] = []
    judge_broken: list[str] = []
    judge_problem: str | None = None
    error: dict[str, Any] | None


class MissingOut(Schema):
    """`count` of the answers lack this, mostly because of `code`: there is no answer, it could not be compared with
    what it is held against, or the judge gave no opinion of it."""

    what: Literal["answer", "similarity", "judge"]
    count: int
    code: str


class ConsistencyRunOut(Schema):
    """One run. `version` is null for a draft; `drift_percent` is how far off the persona's voice the answers are, as
    far as that is known, and `missing` what is not. `within` says whether that is tolerated, and is true only where
    nothing is missing; `replies` only where a single run is asked for."""

    id: str
    persona_id: str
    version: int | None
    digest: str
    reason: str
    state: str
    model: str
    judge_model: str | None
    total: int
    done: int
    scores: ScoresOut
    drift_percent: float | None
    tolerance_percent: int
    within: bool | None
    missing: list[MissingOut]
    error: dict[str, Any] | None
    replies: list[ConsistencyReplyOut] | None
    operation_id: str | None
    started_at: datetime
    started_by: str
    finished_at: datetime | None

    @classmethod
    def of(cls, found: Run, *, replies: bool = False) -> ConsistencyRunOut:
        values = asdict(found)
        values |= {
            "id": found.public_id,
            "operation_id": ids.public("op", found.operation_id) if found.operation_id else None,
            "scores": found.scores.rounded(),
            "drift_percent": found.drift_percent,
            "within": found.within,
            "replies": list(found.replies) if replies else None,
        }
        return cls(**values)


class ConsistencyRunAccepted(Schema):
    """The run, and what carries it out as `GET /v1/operations/{id}` shows it."""

    run: ConsistencyRunOut
    operation: dict[str, Any] | None


class ConsistencyRunPage(Schema):
    data: list[ConsistencyRunOut]
    next_cursor: str | None

    @classmethod
    def of(cls, found: Page[Run]) -> ConsistencyRunPage:
        return cls(data=[ConsistencyRunOut.of(one) for one in found.data], next_cursor=found.next_cursor)


class VersionStandingOut(Schema):
    """A version's last finished run, whose own `version` is null where it was asked as the draft; `change_points` is
    how many percentage points further off it is than the version before that was asked."""

    version: int
    current: bool
    change_points: float | None
    run: ConsistencyRunOut


class ConsistencyOut(Schema):
    """How each version stands, newest first, and the draft as it is now (null where it was not asked).
    `current_version` is 0 before the first."""

    persona_id: str
    current_version: int
    versions: list[VersionStandingOut]
    draft: ConsistencyRunOut | None

    @classmethod
    def of(cls, persona_id: str, current: int, found: list[VersionStanding], draft: Run | None) -> ConsistencyOut:
        shown = [
            VersionStandingOut(
                version=one.version,
                current=one.version == current,
                change_points=one.change_points,
                run=ConsistencyRunOut.of(one.run),
            )
            for one in found
        ]
        return cls(
            persona_id=persona_id,
            current_version=current,
            versions=shown,
            draft=ConsistencyRunOut.of(draft) if draft is not None else None,
        )
