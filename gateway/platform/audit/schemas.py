"""What the audit API answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Schema

from gateway.core import ids
from gateway.core.pagination import Page
from gateway.platform.audit.types import AuditEntry, Verification


class ActorOut(Schema):
    kind: str
    id: str


class AuditOut(Schema):
    id: str
    occurred_at: datetime
    actor: ActorOut
    action: str
    target: str
    subject_id: str | None
    persona_id: str | None
    request_id: str | None
    provenance: dict[str, Any] | None
    detail: dict[str, Any]
    sealed: bool
    seq: int | None
    content_hash: str
    chain_hash: str | None

    @classmethod
    def of(cls, entry: AuditEntry) -> AuditOut:
        return cls(
            id=entry.public_id,
            occurred_at=entry.occurred_at,
            actor=ActorOut(kind=entry.actor.kind, id=entry.actor.id),
            action=entry.action,
            target=entry.target,
            subject_id=entry.subject_id,
            persona_id=entry.persona_id,
            request_id=ids.public("req", entry.request_id) if entry.request_id else None,
            provenance=entry.provenance,
            detail=entry.detail,
            sealed=entry.seq is not None,
            seq=entry.seq,
            content_hash=entry.content_hash.hex(),
            chain_hash=entry.chain_hash.hex() if entry.chain_hash else None,
        )


class AuditPageOut(Schema):
    data: list[AuditOut]
    next_cursor: str | None

    @classmethod
    def of(cls, found: Page[AuditEntry]) -> AuditPageOut:
        return cls(data=[AuditOut.of(entry) for entry in found.data], next_cursor=found.next_cursor)


class VerificationOut(Schema):
    """``head_hash`` with ``sealed`` is worth keeping elsewhere: a later chain must still contain it at that place."""

    ok: bool
    sealed: int
    unsealed: int
    first_bad_seq: int | None
    bad_unsealed: int
    head_hash: str

    @classmethod
    def of(cls, found: Verification) -> VerificationOut:
        return cls(
            ok=found.ok,
            sealed=found.sealed,
            unsealed=found.unsealed,
            first_bad_seq=found.first_bad_seq,
            bad_unsealed=found.bad_unsealed,
            head_hash=found.head_hash.hex(),
        )
