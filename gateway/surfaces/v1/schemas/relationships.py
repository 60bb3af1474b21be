"""Shapes of relationships."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from ninja import Schema
from pydantic import ConfigDict, Field

from gateway.core.pagination import Page
from gateway.core.wire import Flag
from gateway.knowledge.personas.types import Relationship

RelationshipStage = Literal["stranger", "acquaintance", "friend", "best_friend"]


class PutRelationshipIn(Schema):
    """Where the two are to stand."""

    model_config = ConfigDict(extra="forbid")
    stage: RelationshipStage
    locked: Flag = Field(False, description="Keep this stage, however many turns follow.")


class RelationshipOut(Schema):
    """How well a subject and a persona know each other. ``level`` is ⌊log₂(turns + 1)⌋, at most 10; ``next_stage_at``
    is the number of turns that brings the next stage, null at the last one and while ``locked``."""

    subject_id: str
    persona_id: str
    stage: RelationshipStage
    turns: int
    level: int
    locked: bool
    since: datetime | None
    next_stage_at: int | None

    @classmethod
    def of(cls, subject_id: str, found: Relationship) -> RelationshipOut:
        return cls.model_validate(
            {
                "subject_id": subject_id,
                "persona_id": found.persona_id,
                "stage": found.stage,
                "turns": found.turns,
                "level": found.level,
                "locked": found.locked,
                "since": found.since,
                "next_stage_at": found.next_stage_at,
            }
        )


class RelationshipPage(Schema):
    data: list[RelationshipOut]
    next_cursor: str | None

    @classmethod
    def of(cls, subject_id: str, page: Page[Relationship]) -> RelationshipPage:
        return cls(data=[RelationshipOut.of(subject_id, one) for one in page.data], next_cursor=page.next_cursor)
