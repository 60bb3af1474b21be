"""What other slices know of a subject."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

MAX_SUBJECT_ID = 128


@dataclass(frozen=True, slots=True)
class SubjectRef:
    """A subject by both of its names: ``pk`` keys rows, ``id`` is the caller's own string."""

    pk: UUID
    id: str


@dataclass(frozen=True, slots=True)
class Subject:
    """One subject as it is shown."""

    pk: UUID
    id: str
    created_at: datetime
