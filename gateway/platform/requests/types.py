"""A request's decision record, what may be asked of many, and a kept body."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from gateway.core import ids

# From here on a request is found by an index of its own: two seconds, a cent.
SLOW_MS, DEAR_MICROS = 2_000, 10_000
# Of a body this much is kept.
BODY_BYTES = 256 * 1024


class RecordKind(StrEnum):
    """A request that was worked on, or one that was refused before it began."""

    REQUEST = "request"
    REFUSAL = "refusal"


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """What one request was and what was decided about it.

    ``status`` is the HTTP status that was sent, ``state`` is ``settled``, ``estimated``, ``open`` or ``refused``;
    ``record`` is JSON, with the ordered verdicts under ``decisions``; ``key_id`` and ``user_id`` are public (``key_…``,
    ``usr_…``). ``parent_id`` is the request that this one replays. ``written_us`` orders records by when they were
    written; the writer sets it.
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
    kind: str = RecordKind.REQUEST
    user_id: str | None = None
    provider: str | None = None
    outcome: str | None = None
    latency_ms: int | None = None
    charged_micros: int | None = None
    cached: bool | None = None
    parent_id: UUID | None = None
    written_us: int | None = field(default=None, compare=False)

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
    user_id: str | None = None
    status: int | None = None
    state: str | None = None
    surface: str | None = None
    model: str | None = None
    persona_id: str | None = None
    subject_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Facet:
    """The values of one field among the newest requests, the most frequent first."""

    field: str
    values: tuple[tuple[str, int], ...]


class Part(StrEnum):
    REQUEST = "request"
    RESPONSE = "response"


@dataclass(frozen=True, slots=True)
class BodyDraft:
    """A body to keep, masked already. ``size`` is what it had in bytes before; ``headers`` those that addressed it;
    ``days`` is for how long at most it may be kept, None: as long as others are."""

    request_id: UUID
    part: Part
    path: str
    content_type: str
    text: str
    size: int
    truncated: bool
    headers: dict[str, str] = field(default_factory=dict)
    persona_id: str | None = None
    subject_id: str | None = None
    days: int | None = None


@dataclass(frozen=True, slots=True)
class KeptInput:
    """What was sent with a request, masked as it was kept, and what its record says of it. ``path`` says in which
    dialect; ``headers`` are those that addressed it, by their lower-case names."""

    request_id: UUID
    occurred_at: datetime
    path: str
    text: str
    headers: dict[str, str]
    key_id: str | None
    persona_id: str | None
    persona_version: int | None
    subject_id: str | None


@dataclass(frozen=True, slots=True)
class Shadowed:
    """What a record says of overlays in shadow: ``shadow`` has ``overlays``, ``refused_before``, ``refused_after`` and
    ``changes``, or only ``truncated`` where the record had no room for it."""

    request_id: UUID
    occurred_at: datetime
    persona_id: str | None
    subject_id: str | None
    shadow: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Body:
    """A kept body, opened."""

    part: str
    path: str
    headers: dict[str, str]
    content_type: str
    text: str
    size: int
    truncated: bool
    persona_id: str | None
    subject_id: str | None
    expires_at: datetime
