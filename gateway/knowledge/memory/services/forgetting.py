"""Forgetting, which takes effect at once, and its undoing within 30 days."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core import clock
from gateway.core.journal import Actor
from gateway.knowledge.memory import embedding, selectors, storage, twins, wording
from gateway.knowledge.memory.changing import COUNTED, already, event_of, held, latest, named, settle, trail, wordings
from gateway.knowledge.memory.errors import AlreadyRemembered, MemoryForgotten, MemoryLimitReached
from gateway.knowledge.memory.models import MemoryRow, Tombstone
from gateway.knowledge.memory.placement import EVERYTHING, Reach
from gateway.knowledge.memory.slots import value_key
from gateway.knowledge.memory.types import Memory, Status

UNDO = timedelta(days=30)


def forget(memory_id: UUID, *, actor: Actor, request_id: UUID | None = None, alike: Reach | None = None) -> Memory:
    """Make a memory unfindable at once, in all its wordings, those that it was corrected to included. With ``alike``,
    those within that reach which recall shows as one with it go along (``also``). Rows stay for 30 days, in which
    ``restore`` brings all of them back. Status, tombstones, postings, embeddings and the subject's version change
    together. Forgetting twice is the same as once. Raises MemoryNotFound."""
    with transaction.atomic():
        before = held(memory_id)
        if before.status == Status.FORGOTTEN:
            return before
        now, gained, others = clock.now(), 0, twins.Alike()
        head = latest(before)
        own = wordings(head)
        if alike is not None:
            said, mine = {before.text, head.text}, {one.id for one in own}
            others = twins.of(before.subject_pk, said, besides=mine, within=alike)
        for one in (*own, *others.memories):
            if one.status == Status.FORGOTTEN:
                continue
            MemoryRow.objects.filter(pk=one.id).update(
                status=Status.FORGOTTEN, forgotten_at=now, retired_at=one.retired_at or now
            )
            Tombstone.objects.create(
                subject_pk=one.subject_pk, memory_id=one.id, content_hash=wording.digest(one.text), slot=one.slot,
                value_hash=value_key(one.value), forgotten_at=now,
            )  # fmt: skip
            storage.drop_postings(one.subject_pk, one.id)
            storage.drop_embeddings(one.id)
            gained -= one.status in COUNTED and one.superseded_by is None
        storage.touch(before.subject_pk, gained=gained)
        also = tuple(one.id for one in others.memories)
        events = [event_of("memory.deleted", one, reason="forgotten") for one in (before, *others.memories)]
        trail("memory.forgotten", before, actor, request_id, *events, **named(also))
        return replace(selectors.get(memory_id), also=also, beyond_reach=others.beyond)


def restore(
    memory_id: UUID,
    *,
    actor: Actor,
    limit_per_subject: int | None,
    request_id: UUID | None = None,
    reach: Reach = EVERYTHING,
) -> Memory:
    """Undo a forgetting of the last 30 days, tombstones included, with those within ``reach`` that were forgotten along
    with it, unless the same was stored anew meanwhile. A memory that is not forgotten is left as it is.

    Raises MemoryNotFound once it is purged, MemoryForgotten when the 30 days are over, AlreadyRemembered when the same
    was stored anew meanwhile, Contradicts when it would take over from one beyond ``reach``, and MemoryLimitReached.
    """
    with transaction.atomic():
        before = held(memory_id)
        if before.status != Status.FORGOTTEN or before.forgotten_at is None:
            return before
        if clock.now() - before.forgotten_at > UNDO:
            raise MemoryForgotten("This memory was forgotten more than 30 days ago and cannot be brought back.")
        own, others = _forgotten_with(before)
        near, also = [one for one in others if reach.covers(one)], []
        gained = 0
        for one in own:
            gained += _bring_back(one, limit_per_subject, gained, reach)
        for one in near:
            try:
                gained += _bring_back(one, limit_per_subject, gained, reach)
            except AlreadyRemembered:
                continue  # said anew since: there is nothing to bring back
            also.append(one)
        storage.touch(before.subject_pk, gained=gained)
        embedding.wanted([before.subject_pk])
        events = [event_of("memory.restored", one) for one in (before, *also)]
        names = tuple(one.id for one in also)
        trail("memory.restored", before, actor, request_id, *events, **named(names))
        return replace(selectors.get(memory_id), also=names, beyond_reach=len(others) - len(near))


def _forgotten_with(memory: Memory) -> tuple[list[Memory], list[Memory]]:
    """What went in the same forgetting: the memory's own wordings, and the others. The moment is one writer's alone,
    since the subject's lock was held."""
    rows = MemoryRow.objects.filter(
        subject_pk=memory.subject_pk, status=Status.FORGOTTEN, forgotten_at=memory.forgotten_at
    )
    mine = {one.id for one in wordings(latest(memory))}
    together = selectors.get_many(list(rows.order_by("id").values_list("id", flat=True)))
    return [one for one in together if one.id in mine], [one for one in together if one.id not in mine]


def _bring_back(memory: Memory, limit: int | None, before: int, reach: Reach) -> int:
    """Undo one row's forgetting: its place in its slot is found anew. ``before`` were kept by this restore so far;
    returns how many more are (1 or less). Nothing is changed when it raises."""
    changes: dict[str, Any] = {"status": Status.SUPERSEDED, "forgotten_at": None}
    gained = 0
    if memory.superseded_by is None:
        changes |= {"status": Status.SILENCED if memory.silenced_at else Status.ACTIVE, "retired_at": None}
        gained = 1
        _check_place(memory, limit, before)
        settled = settle(memory, clock.now(), reach)
        if settled.history:
            changes |= settled.history
            changes["status"] = Status.SILENCED if memory.silenced_at else Status.SUPERSEDED
            gained = 0
        gained -= settled.lost
    elif memory.silenced_at is not None:
        changes["status"] = Status.SILENCED
    MemoryRow.objects.filter(pk=memory.id).update(**changes)
    Tombstone.objects.filter(memory_id=memory.id).delete()
    storage.post(memory.id)
    return gained


def _check_place(memory: Memory, limit: int | None, before: int) -> None:
    """Whether it can be kept again."""
    twin = (
        MemoryRow.objects.filter(subject_pk=memory.subject_pk, status__in=COUNTED)
        .filter(content_hash=MemoryRow.objects.filter(pk=memory.id).values("content_hash")[:1])
        .values_list("id", flat=True)
        .first()
    )
    if twin is not None:
        raise already(twin)
    if limit is not None and selectors.count(memory.subject_pk) + before >= limit:
        raise MemoryLimitReached(memory.subject_id, limit)
