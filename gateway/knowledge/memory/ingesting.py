"""Telling subscribers that something that was read gave no memory although it said something."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from gateway.core.errors import GatewayError
from gateway.core.journal import Actor, Change, Event, record


def nothing_stored(
    source: str,
    ref: str | None,
    errors: Sequence[GatewayError],
    *,
    subject_id: str,
    actor: Actor,
    request_id: UUID | None = None,
) -> None:
    """``ingestion.error`` with the first refusal of all, and never what was said. Inside a transaction."""
    first = errors[0]
    facts = {"source": source, "ref": ref, "code": first.code, "detail": first.detail[:500]}
    change = Change(
        "memory.ingestion_failed", actor, f"subject:{subject_id}", subject_id=subject_id, request_id=request_id,
        detail={"source": source, "code": first.code, "statements": len(errors)},
    )  # fmt: skip
    record(change, Event("ingestion.error", facts, subject_id=subject_id))
