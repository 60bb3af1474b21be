"""Setting a memory aside (silence) and keeping it in front (pin), and both undone. Each twice is the same as once."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from gateway.core import clock
from gateway.core.journal import Actor
from gateway.knowledge.memory import selectors, storage
from gateway.knowledge.memory.changing import alive, event_of, held, trail, wordings
from gateway.knowledge.memory.models import MemoryRow
from gateway.knowledge.memory.types import Memory, Status


def silence(memory_id: UUID, *, actor: Actor, request_id: UUID | None = None) -> Memory:
    """Keep a memory and never recall it. Raises MemoryNotFound or MemoryForgotten."""
    return _set(memory_id, "memory.silenced", actor, request_id, aside=True)


def unsilence(memory_id: UUID, *, actor: Actor, request_id: UUID | None = None) -> Memory:
    """Recall a silenced memory again; one that a newer fact took over from meanwhile is history now."""
    return _set(memory_id, "memory.unsilenced", actor, request_id, aside=False)


def pin(memory_id: UUID, *, actor: Actor, request_id: UUID | None = None) -> Memory:
    """Mark a memory as one to keep in front. Raises MemoryNotFound or MemoryForgotten."""
    return _set(memory_id, "memory.pinned", actor, request_id, pinned=True)


def unpin(memory_id: UUID, *, actor: Actor, request_id: UUID | None = None) -> Memory:
    """Undo ``pin``."""
    return _set(memory_id, "memory.unpinned", actor, request_id, pinned=False)


def _set(
    memory_id: UUID,
    action: str,
    actor: Actor,
    request_id: UUID | None,
    *,
    aside: bool | None = None,
    pinned: bool | None = None,
) -> Memory:
    with transaction.atomic():
        before = alive(held(memory_id))
        is_so = before.silenced_at is not None if aside is not None else before.pinned_at is not None
        if is_so == (aside if aside is not None else pinned):
            return before
        now = clock.now()
        if aside is None:
            MemoryRow.objects.filter(pk=memory_id).update(pinned_at=now if pinned else None)
        else:
            for one in wordings(before):  # or an earlier wording would still tell it
                rest = Status.SUPERSEDED if one.superseded_by is not None else Status.ACTIVE
                MemoryRow.objects.filter(pk=one.id).exclude(status=Status.FORGOTTEN).update(
                    status=Status.SILENCED if aside else rest, silenced_at=now if aside else None
                )
        storage.touch(before.subject_pk)
        trail(action, before, actor, request_id, event_of("memory.updated", before))
        return selectors.get(memory_id)
