"""What readers and writers of the audit exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.core import ids
from gateway.core.journal import Actor


@dataclass(frozen=True, slots=True)
class NotedEntry:
    """A read or a refusal that comes with the usage stream. ``id`` is a UUIDv7 made when it happened; writing it twice
    is once.
    """

    id: UUID
    occurred_at: datetime
    action: str
    actor: Actor
    target: str
    subject_id: str | None = None
    persona_id: str | None = None
    request_id: UUID | None = None
    provenance: dict[str, Any] | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry. ``seq`` counts from 1 and is None until the entry is sealed."""

    id: UUID
    occurred_at: datetime
    action: str
    actor: Actor
    target: str
    subject_id: str | None
    persona_id: str | None
    request_id: UUID | None
    provenance: dict[str, Any] | None
    detail: dict[str, Any]
    content_hash: bytes
    seq: int | None
    chain_hash: bytes | None

    @property
    def public_id(self) -> str:
        return ids.public("aud", self.id)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What to list. ``action`` is a whole action or a prefix ending in ``.*``; ``actor`` an id or ``kind:id``;
    ``until`` is exclusive; ``target`` is what was changed, by its public id.
    """

    subject_id: str | None = None
    persona_id: str | None = None
    action: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """What recomputing every hash found. ``unsealed`` entries are committed but not chained yet; they are checked by
    content alone.

    ``head_hash`` is the last link (the organization's first link when nothing is sealed): kept elsewhere together
    with ``sealed``, it shows later that no newest entries were cut off.
    """

    ok: bool
    sealed: int
    unsealed: int
    first_bad_seq: int | None
    head_hash: bytes
    bad_unsealed: int = 0
