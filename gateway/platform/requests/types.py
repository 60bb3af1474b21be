"""A request's decision record."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.core import ids


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """What one request was and what was decided about it.

    ``status`` is the HTTP status that was sent, ``state`` is ``settled``, ``estimated`` or ``open``; ``record`` is
    JSON, with the ordered verdicts under ``decisions``; ``key_id`` is public (``key_…``).
    """

    request_id: UUID
    occurred_at: datetime
    surface: str
    status: int
    state: str
    record: dict[str, Any] = field(default_factory=dict)
    key_id: str | None = None
    persona_id: str | None = None
    subject_id: str | None = None
    model: str | None = None

    @property
    def public_id(self) -> str:
        return ids.public("req", self.request_id)

    @property
    def decisions(self) -> list[dict[str, Any]]:
        return decisions_of(self.record)


def decisions_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The ordered verdicts of a record; one that says so when they were too long to keep."""
    found = record.get("decisions")
    if isinstance(found, list):
        return found
    return [{"stage": "record", "verdict": "truncated", **found}] if isinstance(found, dict) else []


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """What to list. ``until`` is exclusive."""

    key_id: str | None = None
    status: int | None = None
    state: str | None = None
    surface: str | None = None
    model: str | None = None
    persona_id: str | None = None
    subject_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
