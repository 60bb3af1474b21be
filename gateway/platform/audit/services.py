"""Writing the audit. ``write`` shares the change's transaction; ``write_noted`` takes what the usage stream brings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from django.db import transaction

from gateway.core import clock, ids
from gateway.core.journal import Actor, Change, Event
from gateway.core.plain import clean, plain
from gateway.platform.audit.canonical import content_hash
from gateway.platform.audit.models import AuditRow
from gateway.platform.audit.types import NotedEntry
from gateway.platform.events.services import emit
from gateway.platform.outbox.services import mark
from gateway.platform.outbox.types import Kind


def journal(change: Change, events: Sequence[Event]) -> None:
    """The journal's implementation: the audit entry and the events, in the transaction that is open."""
    write(change)
    emit(events)


def write(change: Change) -> UUID:
    """Store one change and announce it to the sealer; returns the entry's id. Runs in the change's transaction."""
    row = _row(
        NotedEntry(
            id=ids.uuid7(),
            occurred_at=clock.now(),
            action=change.action,
            actor=change.actor,
            target=change.target,
            subject_id=change.subject_id,
            persona_id=change.persona_id,
            request_id=change.request_id,
            provenance=change.provenance,
            detail=change.detail,
        )
    )
    mark(Kind.AUDIT, [row.id])
    row.save(force_insert=True)
    return row.id


def write_noted(entries: Iterable[NotedEntry]) -> int:
    """An unsealed row. Text is cut to its column before hashing: no strange caller can stop the audit."""
    rows = {entry.id: _row(entry) for entry in entries}
    if rows:
        with transaction.atomic():
            mark(Kind.AUDIT, rows)
            AuditRow.objects.bulk_create(rows.values(), ignore_conflicts=True)
    return len(rows)


def _row(given: NotedEntry) -> AuditRow:
    """An unsealed row. Text is cut to its column before hashing, so that no strange caller can stop the audit."""
    entry = replace(
        given,
        action=clean(given.action)[:64],
        actor=Actor(clean(given.actor.kind)[:16], clean(given.actor.id)[:128]),
        target=clean(given.target)[:256],
        subject_id=None if given.subject_id is None else clean(given.subject_id)[:128],
        persona_id=None if given.persona_id is None else clean(given.persona_id)[:128],
        provenance=None if given.provenance is None else plain(given.provenance),
        detail=plain(given.detail),
    )
    return AuditRow(
        id=entry.id,
        occurred_at=entry.occurred_at,
        action=entry.action,
        actor_kind=entry.actor.kind,
        actor_id=entry.actor.id,
        target=entry.target,
        subject_id=entry.subject_id,
        persona_id=entry.persona_id,
        request_id=entry.request_id,
        provenance=entry.provenance,
        detail=entry.detail,
        content_hash=content_hash(entry),
    )
