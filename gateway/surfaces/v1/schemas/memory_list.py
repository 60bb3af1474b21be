"""What `GET /v1/memories` can be asked for."""

from __future__ import annotations

from ninja import Schema
from pydantic import Field

from gateway.core.wire import ZonedMoment
from gateway.knowledge.memory.selectors import MemoryFilter
from gateway.knowledge.memory.slots import name_of
from gateway.knowledge.memory.types import MAX_NAME, MemoryType, Status


class MemoryListIn(Schema):
    """What to list: all that is given must fit. ``…_from`` includes its moment, ``…_to`` does not."""

    subject_id: str | None = Field(None, max_length=MAX_NAME)
    type: MemoryType | None = None
    memory_scope: str | None = Field(None, max_length=MAX_NAME)
    status: Status = Status.ACTIVE
    slot: str | None = Field(None, max_length=MAX_NAME)
    source: str | None = Field(None, max_length=MAX_NAME, description="The source of any of its provenances.")
    pinned: bool | None = None
    persona_id: str | None = Field(None, max_length=MAX_NAME, description="Told to this persona.")
    occurred_from: ZonedMoment | None = None
    occurred_to: ZonedMoment | None = None
    recorded_from: ZonedMoment | None = None
    recorded_to: ZonedMoment | None = None
    contains: str | None = Field(
        None, min_length=1, max_length=MAX_NAME, description="Within the text; of one subject."
    )

    def filter(self, *, memory_scopes: tuple[str, ...] | None, personas: tuple[str, ...] | None) -> MemoryFilter:
        """The filter, within what the key may see."""
        plain = {
            name: getattr(self, name)
            for name in type(self).model_fields
            if name not in {"subject_id", "type", "memory_scope", "slot"}
        }
        return MemoryFilter(
            types=(self.type,) if self.type is not None else None,
            memory_scopes=memory_scopes,
            personas=personas,
            slot=name_of(self.slot) if self.slot is not None else None,
            **plain,
        )
