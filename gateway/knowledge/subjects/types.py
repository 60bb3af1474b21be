"""What other slices know of a subject."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

MAX_SUBJECT_ID = 128
MAX_DISPLAY_NAME = 200
# Of a subject's attributes, as JSON.
MAX_ATTRIBUTES_BYTES = 8 * 1024
MAX_TEAMS = 20


@dataclass(frozen=True, slots=True)
class SubjectRef:
    """A subject by both of its names: ``pk`` keys rows, ``id`` is the caller's own string. ``team_ids`` decide which
    teams' policies hold for it."""

    pk: UUID
    id: str
    team_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """One subject as it is shown. ``erasing_at`` is since when it is being erased, None for all that stay."""

    pk: UUID
    id: str
    created_at: datetime
    display_name: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    team_ids: tuple[str, ...] = ()
    updated_at: datetime | None = None
    erasing_at: datetime | None = None
    erasure_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class SubjectFilter:
    """What to list. ``prefix`` is how the id or the display name begins; ``since`` inclusive, ``until`` exclusive;
    ``only`` narrows to what a scoped key may see (None: all); ``state`` is ``active`` or ``erasing``."""

    prefix: str | None = None
    team_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    only: tuple[str, ...] | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Leftover:
    """A subject that was erased lately: what calls begun before it was may still have written for it."""

    pk: UUID
    id: str
    erased_at: datetime
