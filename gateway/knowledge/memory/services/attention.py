"""Setting a memory aside (silence) and keeping it in front (pin), and both undone. Each twice is the same as once."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from django.db import transaction

from gateway.core import clock
from gateway.core.journal import Actor
from gateway.knowledge.memory import selectors, storage, twins
from gateway.knowledge.memory.changing import alive, event_of, held, named, trail, wordings
from gateway.knowledge.memory.models import MemoryRow
from gateway.knowledge.memory.placement import EVERYTHING, Reach
from gateway.knowledge.memory.types import Memory, Status


def silence(memory_id: UUID, *, actor: Actor, request_id: UUID | None = None, reach: Reach = EVERYTHING) -> Memory:
    """Keep a memory and never recall it, nor any within ``reach`` that recall shows as one with it (``also``). Raises
    MemoryNotFound or MemoryForgotten."""
    with transaction.atomic():
        before = alive(held(memory_id))
        if before.silenced_at is not None:
            return before
        own, now = wordings(before), clock.now()  # or an earlier wording would still tell it
        alike = twins.of(before.subject_pk, {before.text}, besides={one.id for one in own}, within=reach)
        others = [one for one in alike.memories if one.silenced_at is None]
        MemoryRow.objects.filter(pk__in=[one.id for one in (*own, *others)]).exclude(status=Status.FORGOTTEN).update(
            status=Status.SILENCED, silenced_at=now
        )
        return _aside("memory.silenced", before, twins.Alike(tuple(others), alike.beyond), actor, request_id)


def unsilence(memory_id: UUID, *, actor: Actor, request_id: UUID | None = None, reach: Reach = EVERYTHING) -> Memory:
    """Recall a silenced memory again, with those within ``reach`` that were silenced along with it; one that a newer
    fact took over from meanwhile is history now. Raises MemoryNotFound or MemoryForgotten."""
    with transaction.atomic():
        before = alive(held(memory_id))
        if before.silenced_at is None:
            return before
        own = wordings(before)
        mine = {one.id for one in own}
        rows = MemoryRow.objects.filter(subject_pk=before.subject_pk, silenced_at=before.silenced_at)
        others = selectors.get_many(list(rows.exclude(pk__in=mine).values_list("id", flat=True)))
        near = [one for one in others if reach.covers(one)]
        for one in (*own, *near):
            rest = Status.SUPERSEDED if one.superseded_by is not None else Status.ACTIVE
            MemoryRow.objects.filter(pk=one.id).exclude(status=Status.FORGOTTEN).update(status=rest, silenced_at=None)
        return _aside("memory.unsilenced", before, twins.Alike(tuple(near), len(others) - len(near)), actor, request_id)


def pin(memory_id: UUID, *, actor: Actor, request_id: UUID | None = None) -> Memory:
    """Mark a memory as one to keep in front. Raises MemoryNotFound or MemoryForgotten."""
    return _pin(memory_id, "memory.pinned", actor, request_id, pinned=True)


def unpin(memory_id: UUID, *, actor: Actor, request_id: UUID | None = None) -> Memory:
    """Undo ``pin``."""
    return _pin(memory_id, "memory.unpinned", actor, request_id, pinned=False)


def _aside(action: str, before: Memory, along: twins.Alike, actor: Actor, request_id: UUID | None) -> Memory:
    storage.touch(before.subject_pk)
    also = tuple(one.id for one in along.memories)
    events = [event_of("memory.updated", one) for one in (before, *along.memories)]
    trail(action, before, actor, request_id, *events, **named(also))
    return replace(selectors.get(before.id), also=also, beyond_reach=along.beyond)


def _pin(memory_id: UUID, action: str, actor: Actor, request_id: UUID | None, *, pinned: bool) -> Memory:
    with transaction.atomic():
        before = alive(held(memory_id))
        if (before.pinned_at is not None) == pinned:
            return before
        MemoryRow.objects.filter(pk=memory_id).update(pinned_at=clock.now() if pinned else None)
        storage.touch(before.subject_pk)
        trail(action, before, actor, request_id, event_of("memory.updated", before))
        return selectors.get(memory_id)
