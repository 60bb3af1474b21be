"""What the organization keeps of its providers: frozen values, never rows. The credential is sealed in all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from gateway.core import ids


class Kind(StrEnum):
    """Which wire a provider speaks."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


class State(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"


DEFAULT_URLS = {Kind.OPENAI: "https://api.openai.com/v1", Kind.ANTHROPIC: "https://api.anthropic.com"}


@dataclass(frozen=True, slots=True)
class StoredProvider:
    """One provider of an organization. ``timeouts``: ``first_token_s``, ``stall_s``, ``total_s`` where they differ from
    the installation's.
    """

    id: UUID
    name: str
    kind: Kind
    base_url: str
    last4: str
    timeouts: tuple[tuple[str, float], ...]
    state: State
    created_at: datetime
    rotated_at: datetime | None
    last_used_at: datetime | None = field(compare=False)
    ciphertext: bytes = field(repr=False)
    kid: str = field(repr=False)

    @property
    def public_id(self) -> str:
        return ids.public("prv", self.id)


@dataclass(frozen=True, slots=True)
class Alias:
    """A short name and the model it stands for."""

    alias: str
    model: str
    updated_at: datetime
