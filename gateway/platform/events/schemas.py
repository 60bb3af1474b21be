"""What ``GET /events`` answers."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from ninja import Schema
from pydantic import BaseModel, ConfigDict

from gateway.core.pagination import Page
from gateway.platform.events.types import EventView


class EventOut(BaseModel):  # Ninja's own Schema drops extra fields
    """The envelope; the payload's fields stand beside it."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow")

    id: str
    type: str
    version: int
    created_at: datetime
    subject_id: str | None
    persona_id: str | None


class EventPageOut(Schema):
    data: list[EventOut]
    next_cursor: str | None

    @classmethod
    def of(cls, found: Page[EventView]) -> EventPageOut:
        return cls(data=[EventOut.model_validate(view.body()) for view in found.data], next_cursor=found.next_cursor)
