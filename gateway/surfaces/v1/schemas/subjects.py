"""Subjects on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Field, Schema
from pydantic import ConfigDict

from gateway.knowledge.subjects.types import MAX_DISPLAY_NAME, MAX_TEAMS, Subject


class SubjectOut(Schema):
    """One subject, by the caller's own id. ``state`` is ``erasing`` while all that is known of it is being erased."""

    id: str
    display_name: str | None
    attributes: dict[str, Any]
    team_ids: list[str]
    state: str
    created_at: datetime
    updated_at: datetime | None

    @classmethod
    def fields(cls, subject: Subject) -> dict[str, Any]:
        return {
            "id": subject.id,
            "display_name": subject.display_name,
            "attributes": subject.attributes,
            "team_ids": list(subject.team_ids),
            "state": "active" if subject.erasing_at is None else "erasing",
            "created_at": subject.created_at,
            "updated_at": subject.updated_at,
        }

    @classmethod
    def of(cls, subject: Subject) -> SubjectOut:
        return cls(**cls.fields(subject))


class SubjectCountsOut(Schema):
    """How much is known: active memories, conversations, proposals in any state."""

    memories: int
    conversations: int
    proposals: int


class SubjectDetailOut(SubjectOut):
    """One subject and how much is known of it."""

    counts: SubjectCountsOut


class SubjectPage(Schema):
    """One page of subjects."""

    data: list[SubjectOut]
    next_cursor: str | None


class SubjectIn(Schema):
    """What is said of a subject; a field that is left out is empty afterwards."""

    model_config = ConfigDict(extra="forbid")

    display_name: str | None = Field(None, max_length=MAX_DISPLAY_NAME)
    attributes: dict[str, Any] = Field(default_factory=dict, description="At most 8 KB as JSON.")
    team_ids: list[str] = Field(default_factory=list, max_length=MAX_TEAMS)
