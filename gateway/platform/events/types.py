"""An event as readers see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.core import ids


@dataclass(frozen=True, slots=True)
class EventView:
    """One stored event."""

    id: UUID
    name: str
    version: int
    payload: dict[str, Any]
    subject_id: str | None
    persona_id: str | None
    created_at: datetime

    @property
    def public_id(self) -> str:
        return ids.public("evt", self.id)

    def body(self) -> dict[str, Any]:
        """The flat body that subscribers get: the envelope's six fields, then the payload's."""
        return {
            "id": self.public_id,
            "type": self.name,
            "version": self.version,
            "created_at": self.created_at.isoformat(),
            "subject_id": self.subject_id,
            "persona_id": self.persona_id,
            **self.payload,
        }


ENVELOPE = frozenset({"id", "type", "version", "created_at", "subject_id", "persona_id"})
