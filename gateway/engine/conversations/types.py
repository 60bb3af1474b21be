"""What others see of a conversation."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from gateway.core import ids


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
