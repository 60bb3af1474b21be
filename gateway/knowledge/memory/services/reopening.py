"""Bringing back a fact that another took over from, now that the other is taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import transaction

from gateway.core import clock
from gateway.core.journal import Actor
from gateway.knowledge.memory import embedding, facts, storage
from gateway.knowledge.memory.changing import event_of, held, trail
from gateway.knowledge.memory.models import MemoryRow
from gateway.knowledge.memory.placement import Kind, claim_again, place
from gateway.knowledge.memory.types import Status


def reopen(
    memory_id: UUID, *, closed_by: UUID, valid_to: datetime | None, actor: Actor, request_id: UUID | None = None
) -> bool:
    """Believe a memory again that ``closed_by`` took over from, as long as it would have been true (``valid_to``).
    False, and nothing changes, when something newer holds its slot, or it was forgotten, corrected or has expired."""
    with transaction.atomic():
        before, now = held(memory_id), clock.now()
        ended = any(moment is not None and moment <= now for moment in (valid_to, before.expires_at))
        if before.superseded_by != closed_by or before.corrected or before.status == Status.FORGOTTEN or ended:
            return False
        again = replace(before, superseded_by=None, valid_to=valid_to)
        known = facts.of_slots([(before.subject_pk, again)], besides=[memory_id])
        placed = place(claim_again(again), known.get((before.subject_pk, before.slot or ""), []))
        if placed.kind is not Kind.NEW or placed.rivals:
            return False
        status = Status.SILENCED if before.silenced_at else Status.ACTIVE
        MemoryRow.objects.filter(pk=memory_id).update(
            status=status, valid_to=valid_to, retired_at=None, superseded_by=None
        )
        storage.post(memory_id)
        storage.touch(before.subject_pk, gained=1)
        embedding.wanted([before.subject_pk])
        trail("memory.restored", before, actor, request_id, event_of("memory.restored", before))
        return True
