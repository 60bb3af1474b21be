"""Conversations on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Schema

from gateway.core import ids
from gateway.core.pagination import Page
from gateway.engine.conversations.types import ConversationEntry, Turn


class ConversationOut(Schema):
    """``turn_count`` are the turns that were stored; retention may have let go of some since. ``last_at`` is null
    before the first turn."""

    id: str
    subject_id: str | None
    persona_id: str
    persona_version: int
    created_at: datetime
    last_at: datetime | None
    turn_count: int

    @classmethod
    def fields(cls, entry: ConversationEntry, subject_id: str | None) -> dict[str, Any]:
        return {
            "id": entry.public_id,
            "subject_id": subject_id,
            "persona_id": entry.persona_id,
            "persona_version": entry.persona_version,
            "created_at": entry.created_at,
            "last_at": entry.last_at,
            "turn_count": entry.turns,
        }


class ConversationPageOut(Schema):
    data: list[ConversationOut]
    next_cursor: str | None


class ConversationTurnOut(Schema):
    """One question and its answer, as they were masked when they were stored."""

    request_id: str
    at: datetime
    persona_version: int
    model: str
    question: str
    answer: str
    citations: list[dict[str, Any]]

    @classmethod
    def of(cls, turn: Turn) -> ConversationTurnOut:
        return cls(
            request_id=ids.public("req", turn.request_id),
            at=turn.at,
            persona_version=turn.persona_version,
            model=turn.model,
            question=turn.question,
            answer=turn.answer,
            citations=list(turn.citations),
        )


class TranscriptOut(ConversationOut):
    """A conversation with one page of its turns, in their order."""

    turns: list[ConversationTurnOut]
    next_cursor: str | None

    @classmethod
    def of(cls, entry: ConversationEntry, subject_id: str | None, turns: Page[Turn]) -> TranscriptOut:
        return cls(
            **cls.fields(entry, subject_id),
            turns=[ConversationTurnOut.of(turn) for turn in turns.data],
            next_cursor=turns.next_cursor,
        )
