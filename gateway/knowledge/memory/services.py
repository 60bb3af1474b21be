"""Writes of memories: one transaction each, audited, with an event for each memory that came or went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core import clock, ids
from gateway.core.errors import BadRequest, FieldProblem
from gateway.core.journal import Actor, Change, Event, record
from gateway.knowledge.memory import selectors, storage
from gateway.knowledge.memory.models import MemoryRow
from gateway.knowledge.memory.types import MAX_BATCH, ItemResult, Memory, NewMemory, Status, Subject
from gateway.knowledge.memory.writing import Batch, Outcome


def create(
    subject: Subject, item: NewMemory, *, actor: Actor, limit_per_subject: int | None, request_id: UUID | None = None
) -> Memory:
    """Store one memory, or add its source to the active one that says the same (``deduplicated``).

    Raises InvalidMemory, or MemoryLimitReached when the plan's memories for this subject are used up.
    ``limit_per_subject=None`` is no limit.
    """
    with transaction.atomic():
        (result,) = create_many(
            [(subject, item)], actor=actor, limit_per_subject=limit_per_subject, request_id=request_id
        )
        return replace(selectors.get(result.stored), deduplicated=result.deduplicated)


def create_many(
    items: Sequence[tuple[Subject, NewMemory]],
    *,
    actor: Actor,
    limit_per_subject: int | None,
    request_id: UUID | None = None,
) -> list[ItemResult]:
    """Store up to 1,000 memories in one transaction. What is wrong with one item is its own error and stops no
    other."""
    if not 1 <= len(items) <= MAX_BATCH:
        message = f"must have 1 to {MAX_BATCH} items, not {len(items)}"
        raise BadRequest(f"items {message}.", problems=(FieldProblem("#/items", "length", message),))
    batch = Batch(items, now=clock.now(), created_by=str(actor), limit=limit_per_subject)
    if not batch.subjects:
        return batch.results()
    with transaction.atomic():
        batch.write()
        if batch.changed:
            _record(batch, actor, request_id)
    return batch.results()


def _record(batch: Batch, actor: Actor, request_id: UUID | None) -> None:
    """One audit entry for the whole write, an event for each new memory."""
    events = [
        Event("memory.created", _payload(outcome), subject_id=outcome.subject.id, persona_id=outcome.draft.persona_id)
        for outcome in batch.created
    ]
    subjects = {subject.id for subject in batch.subjects}
    subject_id = subjects.pop() if len(subjects) == 1 else None
    if len(batch.changed) == 1:
        (outcome,) = batch.changed
        action = "memory.created" if outcome.created else "memory.corroborated"
        draft = outcome.draft
        change = Change(
            action, actor, ids.public("mem", outcome.id), subject_id=subject_id, persona_id=draft.persona_id,
            request_id=request_id, provenance={"from": draft.sources[0].source, "confidence": draft.confidence},
        )  # fmt: skip
    else:
        detail = {
            "created": [ids.public("mem", outcome.id) for outcome in batch.created],
            "corroborated": sorted({ids.public("mem", outcome.id) for outcome in batch.changed if not outcome.created}),
            "items": len(batch.items),
            "refused": sum(result.error is not None for result in batch.results()),
        }
        change = Change(
            "memory.created", actor, "memories", subject_id=subject_id, request_id=request_id, detail=detail
        )
    record(change, *events)


def _payload(outcome: Outcome) -> dict[str, str | None]:
    draft = outcome.draft
    payload: dict[str, str | None] = {
        "memory_id": ids.public("mem", outcome.id),
        "memory_type": draft.type,
        "scope": draft.scope,
        "memory_scope": draft.memory_scope,
        "source": draft.sources[0].source,
    }
    if draft.proposal_id is not None:
        payload["proposal_id"] = ids.public("prop", draft.proposal_id)
    return payload


def forget(memory_id: UUID, *, actor: Actor, request_id: UUID | None = None) -> Memory:
    """Make a memory unfindable at once; its row stays for 30 days. Forgetting twice is the same as once. Raises
    MemoryNotFound."""
    with transaction.atomic():
        found = selectors.get(memory_id)
        storage.lock([(found.subject_pk, found.subject_id)])
        before = selectors.get(memory_id)  # again, now that nobody else can change it
        now = clock.now()
        changed = (
            MemoryRow.objects.filter(pk=memory_id)
            .exclude(status=Status.FORGOTTEN)
            .update(status=Status.FORGOTTEN, forgotten_at=now, retired_at=now)
        )
        if changed:
            storage.drop_postings(before.subject_pk, memory_id)
            storage.lost(before.subject_pk, 1 if before.status == Status.ACTIVE else 0)
            about: dict[str, Any] = {"subject_id": before.subject_id, "persona_id": before.persona_id}
            gone = {"memory_id": before.public_id, "reason": "forgotten"}
            record(
                Change("memory.forgotten", actor, before.public_id, request_id=request_id, **about),
                Event("memory.deleted", gone, **about),
            )
        return selectors.get(memory_id)
