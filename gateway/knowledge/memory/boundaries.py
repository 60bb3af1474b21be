"""Lines that a subject drew: a topic not to be brought up, a source not to be looked at. Enforced in the rows that
recall reads, at once; kept when lifted, with who and when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from gateway.core import clock, pagination
from gateway.core.errors import FieldProblem
from gateway.core.journal import Actor, Change, Event, record
from gateway.core.pagination import Page, check_limit, decode_cursor
from gateway.knowledge.memory import consents, storage
from gateway.knowledge.memory.errors import BoundaryNotFound, InvalidMemory
from gateway.knowledge.memory.lines import MAX_BOUNDARIES, BoundaryKind, DrawnBoundary
from gateway.knowledge.memory.models import Boundary, SubjectState
from gateway.knowledge.memory.topics import topic_of
from gateway.knowledge.memory.types import MAX_LABEL, Subject

_HIDE = """
UPDATE memory m SET hidden = true
WHERE m.subject_pk = %s AND NOT m.hidden AND m.status <> 'forgotten'
    AND tsvector_to_array(to_tsvector('pg_catalog.english', %s)) <@ tsvector_to_array({topical})
""".replace("{topical}", storage.TOPICAL)

_COVERED = """
SELECT count(*) FROM memory m
WHERE m.subject_pk = %(pk)s AND m.status IN ('active', 'silenced') AND m.superseded_by_id IS NULL AND {covered}
"""
_BY_TOPIC = _COVERED.format(
    covered="tsvector_to_array(to_tsvector('pg_catalog.english', %(line)s)) <@ tsvector_to_array({topical})"
).replace("{topical}", storage.TOPICAL)
_BY_SOURCE = _COVERED.format(
    covered="""%(line)s = ANY(m.source_kinds) AND NOT EXISTS (
        SELECT FROM unnest(m.lineages) AS l WHERE NOT %(line)s = ANY(string_to_array(l, chr(31))))"""
)

_SHOW = """
WITH topics AS MATERIALIZED (
    SELECT tsvector_to_array(to_tsvector('pg_catalog.english', statement)) AS lexemes FROM memory_boundary
    WHERE subject_pk = %(pk)s AND kind = 'topic' AND lifted_at IS NULL)
UPDATE memory m SET hidden = false
WHERE m.subject_pk = %(pk)s AND m.hidden
    AND NOT EXISTS (SELECT FROM topics t WHERE t.lexemes <@ tsvector_to_array({topical}))
""".replace("{topical}", storage.TOPICAL)


def add(
    subject: Subject,
    kind: str,
    *,
    statement: str = "",
    source: str | None = None,
    actor: Actor,
    request_id: UUID | None = None,
) -> DrawnBoundary:
    """Draw a line. ``topic`` needs a ``statement`` ("my divorce"): every memory that has all its content words is
    hidden, those still to come included. ``source`` needs a ``source``, which is not recalled from then on. The same
    line drawn again is the one that there is. The answer says how many memories it covers (``hides``). Raises
    InvalidMemory."""
    name, words = None, topic_of(statement)
    if kind == BoundaryKind.SOURCE:
        name = consents.source_name(source or "")
        words = statement.strip() or name
    if not 1 <= len(words) <= MAX_LABEL or "\0" in words:
        raise _wrong("length", f"must have 1 to {MAX_LABEL} characters, not {len(words)}")
    with transaction.atomic():
        storage.lock([(subject.pk, subject.id)])
        drawn = Boundary.objects.filter(subject_pk=subject.pk, lifted_at=None)
        same = drawn.filter(kind=kind, **({"source": name} if name is not None else {"statement__iexact": words}))
        if (known := same.first()) is not None:
            return _counted(known)
        if drawn.count() >= MAX_BOUNDARIES:
            raise _wrong("too_many", f"a subject has at most {MAX_BOUNDARIES} boundaries; lift one")
        if name is None and not _has_words(words):
            raise _wrong("no_words", "must have a word that can be looked for")
        row = Boundary.objects.create(
            subject_pk=subject.pk, kind=kind, statement=words, source=name, created_by=str(actor)
        )
        if name is None:
            with connection.cursor() as cursor:
                cursor.execute(_HIDE, [subject.pk, words])
            storage.touch(subject.pk)
        else:
            consents.keep_in_step(subject.pk)
        found = _counted(row)
        _trail("boundary.created", found, subject.id, actor, request_id)
        return found


def lift(
    boundary_id: UUID, *, subject_pk: UUID | None = None, actor: Actor, request_id: UUID | None = None
) -> DrawnBoundary:
    """Take a line away; what no other line covers is recalled again. Lifting twice is the same as once. Raises
    BoundaryNotFound, also for another subject's than ``subject_pk``."""
    with transaction.atomic():
        row = Boundary.objects.filter(pk=boundary_id).first()
        if row is None or subject_pk not in (None, row.subject_pk):
            raise BoundaryNotFound("There is no such boundary.")
        name = SubjectState.objects.values_list("subject_id", flat=True).get(pk=row.subject_pk)
        storage.lock([(row.subject_pk, name)])
        row = Boundary.objects.get(pk=boundary_id)
        if row.lifted_at is not None:
            return _boundary(row)
        row.lifted_at, row.lifted_by = clock.now(), str(actor)
        row.save(update_fields=["lifted_at", "lifted_by"])
        if row.kind == BoundaryKind.SOURCE:
            consents.keep_in_step(row.subject_pk)
        else:
            with connection.cursor() as cursor:
                cursor.execute(_SHOW, {"pk": row.subject_pk})
            storage.touch(row.subject_pk)
        found = _boundary(row)
        _trail("boundary.lifted", found, name, actor, request_id)
        return found


def of(subject_pk: UUID, *, lifted: bool = False) -> list[DrawnBoundary]:
    """The lines that a subject drew, oldest first; with ``lifted``, those that were taken away as well."""
    return [_boundary(row) for row in _rows(subject_pk, lifted)]


def page(
    subject_pk: UUID, *, lifted: bool = False, limit: int | None = None, cursor: str | None = None
) -> Page[DrawnBoundary]:
    """The same in pages. Raises BadRequest for a limit or a cursor that cannot be."""
    size, after = check_limit(limit), decode_cursor(cursor)
    rows = _rows(subject_pk, lifted)
    found = pagination.page((rows.filter(pk__gt=after) if after is not None else rows)[: size + 1], size)
    return Page([_boundary(row) for row in found.data], found.next_cursor)


def _rows(subject_pk: UUID, lifted: bool) -> QuerySet[Boundary]:
    rows = Boundary.objects.filter(subject_pk=subject_pk).order_by("id")
    return rows if lifted else rows.filter(lifted_at=None)


def _has_words(statement: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT length(to_tsvector('pg_catalog.english', %s))", [statement])
        row = cursor.fetchone()
    return bool(row and row[0])


def _counted(row: Boundary) -> DrawnBoundary:
    with connection.cursor() as cursor:
        given: dict[str, Any] = {"pk": row.subject_pk, "line": row.source or row.statement}
        cursor.execute(_BY_SOURCE if row.kind == BoundaryKind.SOURCE else _BY_TOPIC, given)
        (covered,) = cursor.fetchone()
    return replace(_boundary(row), hides=covered)


def _wrong(code: str, message: str) -> InvalidMemory:
    return InvalidMemory([FieldProblem("#/statement", code, message)])


def _trail(action: str, boundary: DrawnBoundary, subject_id: str, actor: Actor, request_id: UUID | None) -> None:
    payload = {"boundary_id": boundary.public_id, "kind": boundary.kind}
    change = Change(
        action, actor, boundary.public_id, subject_id=subject_id, request_id=request_id,
        detail={"kind": boundary.kind, "source": boundary.source},
    )  # fmt: skip
    record(change, Event(action, payload, subject_id=subject_id))


def _boundary(row: Boundary) -> DrawnBoundary:
    return DrawnBoundary(
        row.id, row.kind, row.statement, row.source, row.created_at, row.created_by, row.lifted_at, row.lifted_by
    )
