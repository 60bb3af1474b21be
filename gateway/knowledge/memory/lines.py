"""Consents and boundaries as the rest of the code sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from gateway.core import ids

MAX_BOUNDARIES = 100
MAX_CONSENTS = 500


class BoundaryKind(StrEnum):
    """``topic``: not to be brought up; ``source``: not to be looked at."""

    TOPIC = "topic"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class SourceConsent:
    """What a subject said about one source last, and who recorded it."""

    source: str
    granted: bool
    granted_at: datetime | None
    revoked_at: datetime | None
    updated_by: str


@dataclass(frozen=True, slots=True)
class DrawnBoundary:
    """One line that a subject drew; ``lifted_at`` is None while it holds. ``hides`` is how many memories it covers, in
    the answer to drawing it."""

    id: UUID
    kind: str
    statement: str
    source: str | None
    created_at: datetime
    created_by: str
    lifted_at: datetime | None
    lifted_by: str | None
    hides: int = field(default=0, compare=False)

    @property
    def public_id(self) -> str:
        return ids.public("bnd", self.id)
