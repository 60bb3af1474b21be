"""Asking the database: a question's values for the statement, and the rows as candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from gateway.knowledge.memory.recall_query import Analysis, Range
from gateway.knowledge.memory.recall_statement import statement
from gateway.knowledge.memory.types import MAX_QUERY, Provenance, RecallQuery

_INFINITY = "infinity"
_RESTRICTIONS = ("memory_scopes", "types", "personas", "visibilities")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One memory that may answer, with what each signal says of it.

    ``lexical`` is BM25; ``coverage`` (0 to 1) the share of the question's words, weighted by rarity, that stand in it;
    ``cosine`` None without an embedding. ``base``, ``neighbours``, ``sitting`` and their ``total`` are in standard
    deviations of the base score. ``place`` is the sitting's number, ``place_coverage`` and ``place_cosine`` the best of
    it; ``by_other``: its best was said by somebody else than whom the question names. ``among`` is the number of
    memories that could be seen.
    """

    id: UUID
    text: str
    type: str
    confidence: float
    occurred_at: datetime
    memory_scope: str
    provenance: Provenance
    visible_until: datetime | None
    pinned: bool
    collection: UUID
    place: int
    lexical: float
    coverage: float
    cosine: float | None
    base: float
    neighbours: float
    spoken: bool
    dated: bool
    asked_for: bool
    fact: bool
    question: bool
    sitting: float
    total: float
    place_coverage: float
    place_cosine: float | None
    by_other: bool
    among: int


@dataclass(frozen=True, slots=True)
class Found:
    """The best candidates of one collection in no order, at the version they were read at; ``beside`` is the other
    collection's version, None when it has nothing, ``changes_at`` when the next memory becomes true."""

    candidates: tuple[Candidate, ...]
    version: int
    beside: int | None
    changes_at: datetime | None


def search(
    query: RecallQuery, analysis: Analysis, now: datetime, *, subject_pk: UUID, beside: UUID, limit: int
) -> Found:
    """The ``limit`` best of one subject's memories. What the question's own subject has revoked is not looked at in any
    collection."""
    meaning = query.meaning
    values: dict[str, Any] = {
        "subject": subject_pk,
        "beside": beside,
        "owners": sorted({query.subject_pk, subject_pk}),
        "query": _storable(query.query[:MAX_QUERY]),
        "topic": _storable(analysis.topic),
        "now": now,
        "as_of": query.as_of or query.known_at or now,
        "known_at": query.known_at or _INFINITY,
        "min_confidence": query.min_confidence or None,
        "words": list(analysis.words),
        "attributes": list(analysis.attributes),
        "months": list(analysis.months),
        "ranges": [_range(one) for one in analysis.ranges],
        "limit": limit,
    }
    for name in _RESTRICTIONS:
        asked = getattr(query, name)
        values[name] = list(asked) if asked is not None else None
    if meaning is not None:
        vector = ",".join(f"{number:.7g}" for number in meaning.vector)
        values |= {"vector": f"[{vector}]", "model": meaning.model_id, "dimensions": len(meaning.vector)}
    restricted = [name for name in (*_RESTRICTIONS, "min_confidence") if values[name] is not None]
    sql = statement(asked=restricted, meaning=meaning is not None, dated=bool(analysis.months or analysis.ranges))
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows = cursor.fetchall()
    found = tuple(_candidate(row, subject_pk) for row in rows if row[3] is not None)
    return Found(found, *rows[0][:3])


def versions(subjects: Sequence[UUID]) -> dict[UUID, int]:
    """The memory version of each subject that has one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT subject_pk, version FROM memory_subject WHERE subject_pk = ANY(%s)", [list(subjects)])
        return dict(cursor.fetchall())


def _candidate(row: Sequence[Any], collection: UUID) -> Candidate:
    (memory_id, body, kind, confidence, occurred_at, memory_scope, source, ref, snippet, span, until, pinned, place,
     lexical, coverage, cosine, base, neighbours, spoken, dated, asked_for, fact, question, sitting,
     total, place_coverage, place_cosine, by_other, among) = row[3:]  # fmt: skip
    return Candidate(
        id=memory_id, text=body, type=kind, confidence=confidence, occurred_at=occurred_at, memory_scope=memory_scope,
        provenance=Provenance(source, ref or None, snippet, tuple(span) if span else None), visible_until=until,
        pinned=pinned, collection=collection, place=place, lexical=lexical, coverage=coverage, cosine=cosine,
        base=base, neighbours=neighbours, spoken=spoken, dated=dated, asked_for=asked_for, fact=fact,
        question=question, sitting=sitting, total=total, place_coverage=place_coverage, place_cosine=place_cosine,
        by_other=by_other, among=int(among),
    )  # fmt: skip


def _storable(text: str) -> str:
    """What PostgreSQL takes as text: no zero bytes, no halves of surrogate pairs."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()


def _range(stretch: Range) -> str:
    return f"[{stretch[0].isoformat()},{stretch[1].isoformat()})"
