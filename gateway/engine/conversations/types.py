"""What others see of a conversation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.core import ids

# A conversation whose turns are gone, or were never kept, is itself let go after so many days of silence.
SILENT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation and the persona version it keeps."""

    id: UUID
    subject_pk: UUID
    persona_id: str
    persona_version: int

    @property
    def public_id(self) -> str:
        return ids.public("conv", self.id)


@dataclass(frozen=True, slots=True)
class ConversationEntry:
    """A conversation as it is listed. ``turns`` were stored in its time; ``last_at`` is None before the first turn."""

    id: UUID
    subject_pk: UUID
    persona_id: str
    persona_version: int
    created_at: datetime
    last_at: datetime | None
    turns: int

    @property
    def public_id(self) -> str:
        return ids.public("conv", self.id)


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer, masked when they were stored. ``citations`` as the answer showed them."""

    id: UUID
    request_id: UUID
    at: datetime
    persona_version: int
    model: str
    question: str
    answer: str
    citations: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class ConversationFilter:
    """What to list; ``since`` inclusive, ``until`` exclusive, both of the beginning. ``persona_ids`` and
    ``subject_pks`` narrow to what a scoped key may see (None: all)."""

    subject_pk: UUID | None = None
    persona_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    persona_ids: tuple[str, ...] | None = None
    subject_pks: tuple[UUID, ...] | None = None
