"""Reads of memories. Finding them by words is ``recall``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import CharField, Exists, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from gateway.core import clock
from gateway.core.pagination import Page, check_limit, decode_cursor, encode_cursor
from gateway.knowledge.memory.errors import MemoryNotFound
from gateway.knowledge.memory.models import EmbeddingFailure, MemoryEmbedding, MemoryRow, MemorySource, SubjectState
from gateway.knowledge.memory.recall import recall
from gateway.knowledge.memory.types import ORG_KNOWLEDGE, Memory, Provenance, Status, Visibility
from tenants.context import current

__all__ = [
    "EMBEDDED", "MemoryFilter", "count", "embedding_outcome", "get", "get_many", "history", "may_be_told", "page",
    "recall", "sources", "subjects_above", "texts",
]  # fmt: skip

EMBEDDED = "embedded"

# Corrections and newer facts, in both directions.
_HISTORY = """
WITH RECURSIVE chain AS (
    SELECT id, previous_id, superseded_by_id FROM memory WHERE id = %(id)s
    UNION
    SELECT m.id, m.previous_id, m.superseded_by_id FROM chain CROSS JOIN LATERAL (
        SELECT * FROM memory WHERE id IN (chain.previous_id, chain.superseded_by_id)
        UNION ALL SELECT * FROM memory WHERE previous_id = chain.id
        UNION ALL SELECT * FROM memory WHERE superseded_by_id = chain.id) AS m
) SELECT id FROM chain
"""


@dataclass(frozen=True, slots=True)
class MemoryFilter:
    """What to list. ``None`` is no filter, an empty list matches nothing; ``from`` includes its moment, ``to`` does
    not. ``personas`` leaves out what was told to others in private, ``persona_id`` names the persona it was told to."""

    types: Sequence[str] | None = None
    memory_scopes: Sequence[str] | None = None
    personas: Sequence[str] | None = None
    status: str | None = "active"
    slot: str | None = None
    source: str | None = None
    pinned: bool | None = None
    persona_id: str | None = None
    occurred_from: datetime | None = None
    occurred_to: datetime | None = None
    recorded_from: datetime | None = None
    recorded_to: datetime | None = None
    contains: str | None = None


def get(memory_id: UUID) -> Memory:
    """One memory, whatever its status. Raises MemoryNotFound."""
    found = get_many([memory_id])
    if not found:
        raise MemoryNotFound("There is no such memory.")
    return found[0]


def get_many(memory_ids: Sequence[UUID]) -> list[Memory]:
    """Those of these memories that there are, in the order asked for."""
    if not memory_ids:
        return []
    rows = {row.id: row for row in MemoryRow.objects.filter(pk__in=memory_ids)}
    return _memories([rows[memory_id] for memory_id in memory_ids if memory_id in rows])


def history(
    memory_id: UUID, wanted: MemoryFilter | None = None, *, limit: int | None = None, cursor: str | None = None
) -> Page[Memory]:
    """What was believed before and after a memory: its corrections and the other values of its slot that took over from
    each other, the latest first. Forgotten ones are left out. Raises MemoryNotFound."""
    size, after = check_limit(limit), decode_cursor(cursor)
    get(memory_id)
    with connection.cursor() as database:
        database.execute(_HISTORY, {"id": memory_id})
        chain = [row[0] for row in database.fetchall()]
    rows = _narrowed(MemoryRow.objects.filter(pk__in=chain), wanted or MemoryFilter(status=None))
    # Those forgotten between two pages still say where the next one begins.
    order = list(rows.order_by("-occurred_at", "-version", "-id").values_list("pk", "status"))
    begin = next((at for at, (pk, _) in enumerate(order, 1) if pk == after), 0)
    left = [pk for pk, status in order[begin:] if status != Status.FORGOTTEN]
    found = {one.id: one for one in get_many(left[:size])}
    return Page([found[pk] for pk in left[:size]], encode_cursor(left[size - 1]) if len(left) > size else None)


def page(
    subject_pk: UUID | None,
    wanted: MemoryFilter | None = None,
    *,
    limit: int | None = None,
    cursor: str | None = None,
    **filters: object,
) -> Page[Memory]:
    """Memories of one subject (None: of all), newest first, by ``wanted`` or by the fields of ``MemoryFilter``."""
    size, before = check_limit(limit), decode_cursor(cursor)
    rows = MemoryRow.objects.order_by("-id")
    # What the organization itself knows is listed with its documents.
    of_all = ~Q(subject_pk=ORG_KNOWLEDGE.pk)
    rows = rows.filter(of_all if subject_pk is None else Q(subject_pk=subject_pk))
    if before is not None:
        rows = rows.filter(id__lt=before)
    rows = _narrowed(rows, wanted or MemoryFilter(**filters))  # type: ignore[arg-type]
    found = list(rows[: size + 1])
    shown = _memories(found[:size])
    return Page(shown, encode_cursor(shown[-1].id) if len(found) > size else None)


def count(subject_pk: UUID) -> int:
    """How many memories a subject has: active and silenced ones, without history."""
    state = SubjectState.objects.filter(pk=subject_pk).values_list("count", flat=True).first()
    return state or 0


def revoked(subject_pk: UUID) -> set[str]:
    """The sources that may not be used for a subject now."""
    found = SubjectState.objects.filter(pk=subject_pk).values_list("revoked", flat=True).first()
    return set(found or ())


def may_be_told(memory_ids: Collection[UUID]) -> bool:
    """Whether each of these is still there and nothing keeps it back: not forgotten, silenced, run out, behind a
    boundary or of a source that was taken back."""
    found, now = get_many(list(memory_ids)), clock.now()
    return len(found) == len(memory_ids) and not any(
        one.hidden
        or one.status in (Status.FORGOTTEN, Status.SILENCED)
        or (one.expires_at is not None and one.expires_at <= now)
        for one in found
    )


def subjects_above(limit: int) -> int:
    """How many subjects have more than ``limit`` memories."""
    return SubjectState.objects.filter(count__gt=limit).exclude(pk=ORG_KNOWLEDGE.pk).count()


def _narrowed(rows: QuerySet[MemoryRow], wanted: MemoryFilter) -> QuerySet[MemoryRow]:
    equal = {
        "type__in": list(wanted.types) if wanted.types is not None else None,
        "memory_scope__in": [one.casefold() for one in wanted.memory_scopes]
        if wanted.memory_scopes is not None
        else None,
        "status": wanted.status,
        "slot": wanted.slot,
        "pinned_at__isnull": None if wanted.pinned is None else not wanted.pinned,
        "persona_id": wanted.persona_id,
        "occurred_at__gte": wanted.occurred_from,
        "occurred_at__lt": wanted.occurred_to,
        "recorded_at__gte": wanted.recorded_from,
        "recorded_at__lt": wanted.recorded_to,
        "body__icontains": wanted.contains,
    }
    rows = rows.filter(**{name: value for name, value in equal.items() if value is not None})
    if wanted.personas is not None:  # the private memories of other personas stay with them
        rows = rows.filter(Q(persona_id=None) | ~Q(scope=Visibility.PRIVATE) | Q(persona_id__in=list(wanted.personas)))
    if wanted.source is not None:
        rows = rows.filter(
            Exists(MemorySource.objects.filter(memory_id=OuterRef("id"), source=wanted.source.casefold()))
        )
    return rows


def texts(memory_ids: Iterable[UUID]) -> dict[UUID, str]:
    """What these memories say, by id; forgotten ones are left out."""
    rows = MemoryRow.objects.filter(pk__in=list(memory_ids)).exclude(status=Status.FORGOTTEN)
    return dict(rows.values_list("id", "body"))


def embedding_outcome(field: str, model: str) -> Coalesce:
    """For queries of whoever keeps memories' ids, which may be too many to hand over: what became of the memory in this
    field. EMBEDDED where it has a vector of the model, the code of the refusal where the model refused it, else null.
    """
    its: dict[str, Any] = {"memory_id": OuterRef(field), "model_id": model}
    vector = MemoryEmbedding.objects.filter(**its).values_list(Value(EMBEDDED))
    refusal = EmbeddingFailure.objects.filter(**its).values_list("code")
    return Coalesce(Subquery(vector), Subquery(refusal), output_field=CharField())


def _memories(rows: list[MemoryRow]) -> list[Memory]:
    """Rows with their first source and their subject's id: three queries for any number of rows."""
    sources = _first_sources(row.id for row in rows)
    states = {one.pk: one for one in SubjectState.objects.filter(pk__in={row.subject_pk for row in rows})}
    organization = current().public_id
    return [_memory(row, states[row.subject_pk], sources[row.id], organization) for row in rows]


def _first_sources(memory_ids: Iterable[UUID]) -> dict[UUID, Provenance]:
    rows = MemorySource.objects.filter(memory_id__in=list(memory_ids), position=0)
    return {row.memory_id: _provenance(row) for row in rows}


def sources(memory_id: UUID) -> list[Provenance]:
    """All that a memory came from, the one that is cited first."""
    return [_provenance(row) for row in MemorySource.objects.filter(memory_id=memory_id).order_by("position")]


def _provenance(row: MemorySource) -> Provenance:
    span = (row.span[0], row.span[1]) if row.span is not None else None
    return Provenance(row.source, row.ref or None, row.snippet, span)


def _memory(row: MemoryRow, state: SubjectState, provenance: Provenance, organization: str) -> Memory:
    hidden = row.hidden or row.is_revoked(set(state.revoked))
    return Memory(
        id=row.id, subject_pk=row.subject_pk, subject_id=state.subject_id, text=row.body, type=row.type, slot=row.slot,
        value=row.value, speaker=row.speaker, thread_id=row.thread_id, occurred_at=row.occurred_at,
        valid_from=row.valid_from, valid_to=row.valid_to, expires_at=row.expires_at, recorded_at=row.recorded_at,
        forgotten_at=row.forgotten_at, status=row.status, confidence=row.confidence, trust=row.trust, scope=row.scope,
        memory_scope=row.memory_scope, persona_id=row.persona_id, provenance=provenance, created_by=row.created_by,
        namespace=f"{organization}_user_{state.subject_id}", about=row.about, where=row.place,
        pii_tags=tuple(row.pii_tags),
        retired_at=row.retired_at, superseded_by=row.superseded_by_id, previous_id=row.previous_id, version=row.version,
        corrected=row.corrected, hidden=hidden, pinned_at=row.pinned_at, silenced_at=row.silenced_at,
    )  # fmt: skip
