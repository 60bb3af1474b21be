"""Shapes of subjects on the wire."""

from __future__ import annotations

from datetime import datetime

from ninja import Schema

from gateway.core.pagination import Page
from gateway.knowledge.subjects.types import Subject


class SubjectOut(Schema):
    """One subject, by the caller's own id."""

    id: str
    created_at: datetime

    @classmethod
    def of(cls, subject: Subject) -> SubjectOut:
        return cls(id=subject.id, created_at=subject.created_at)


class SubjectPage(Schema):
    """One page of subjects."""

    data: list[SubjectOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[Subject]) -> SubjectPage:
        return cls(data=[SubjectOut.of(subject) for subject in page.data], next_cursor=page.next_cursor)
