"""Reads of memories. Finding them by words is ``recall``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db.models import Q

from gateway.core.pagination import Page, check_limit, decode_cursor, encode_cursor
from gateway.knowledge.memory.errors import MemoryNotFound
from gateway.knowledge.memory.models import MemoryRow, MemorySource, SubjectState
from gateway.knowledge.memory.recall import recall
from gateway.knowledge.memory.types import Memory, Provenance, Visibility

__all__ = ["count", "get", "page", "recall"]


def get(memory_id: UUID) -> Memory:
    """One memory, whatever its status. Raises MemoryNotFound."""
    row = MemoryRow.objects.filter(pk=memory_id).first()
    if row is None:
        raise MemoryNotFound("There is no such memory.")
    return _memories([row])[0]


def page(
    subject_pk: UUID | None,
    *,
    types: Sequence[str] | None = None,
    memory_scopes: Sequence[str] | None = None,
    personas: Sequence[str] | None = None,
    status: str | None = "active",
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Memory]:
    """Memories of one subject (None: of all), newest first. ``None`` for a filter is no filter, an empty list
    matches nothing."""
    size, before = check_limit(limit), decode_cursor(cursor)
    rows = MemoryRow.objects.order_by("-id")
    if subject_pk is not None:
        rows = rows.filter(subject_pk=subject_pk)
    if types is not None:
        rows = rows.filter(type__in=list(types))
    if memory_scopes is not None:
        rows = rows.filter(memory_scope__in=list(memory_scopes))
    if personas is not None:  # the private memories of other personas stay with them
        rows = rows.filter(Q(persona_id=None) | ~Q(scope=Visibility.PRIVATE) | Q(persona_id__in=list(personas)))
    if status is not None:
        rows = rows.filter(status=status)
    if before is not None:
        rows = rows.filter(id__lt=before)
    found = list(rows[: size + 1])
    shown = _memories(found[:size])
    return Page(shown, encode_cursor(shown[-1].id) if len(found) > size else None)


def count(subject_pk: UUID) -> int:
    """How many active memories a subject has."""
    state = SubjectState.objects.filter(pk=subject_pk).values_list("count", flat=True).first()
    return state or 0


def subjects_above(limit: int) -> int:
    """How many subjects have more than ``limit`` active memories."""
    return SubjectState.objects.filter(count__gt=limit).count()


def _memories(rows: list[MemoryRow]) -> list[Memory]:
    """Rows with their first source and their subject's id: three queries for any number of rows."""
    sources = _first_sources(row.id for row in rows)
    states = SubjectState.objects.filter(pk__in={row.subject_pk for row in rows})
    names = dict(states.values_list("subject_pk", "subject_id"))
    return [_memory(row, names[row.subject_pk], sources[row.id]) for row in rows]


def _first_sources(memory_ids: Iterable[UUID]) -> dict[UUID, Provenance]:
    rows = MemorySource.objects.filter(memory_id__in=list(memory_ids), position=0)
    return {row.memory_id: Provenance(row.source, row.ref or None, row.snippet) for row in rows}


def _memory(row: MemoryRow, subject_id: str, provenance: Provenance) -> Memory:
    return Memory(
        id=row.id, subject_pk=row.subject_pk, subject_id=subject_id, text=row.body, type=row.type, slot=row.slot,
        value=row.value, speaker=row.speaker, thread_id=row.thread_id, occurred_at=row.occurred_at,
        valid_from=row.valid_from, valid_to=row.valid_to, expires_at=row.expires_at, recorded_at=row.recorded_at,
        forgotten_at=row.forgotten_at, status=row.status, confidence=row.confidence, trust=row.trust, scope=row.scope,
        memory_scope=row.memory_scope, persona_id=row.persona_id, provenance=provenance, created_by=row.created_by,
    )  # fmt: skip
