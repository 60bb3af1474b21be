"""Everything that memory keeps about one subject, gone for good: in batches of bounded size, each a transaction, so
that neither a large subject nor a crash half-way holds anybody up. Run again, it finds what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db import connection, transaction

from gateway.core.subjectdata import Target

BATCH = 1_000
_POSTINGS = 20_000

# What hangs on a memory goes with it. Whoever points to one that goes points to nothing.
_OF_MEMORIES: tuple[tuple[str | None, str], ...] = (
    ("memory_sources", "DELETE FROM memory_source WHERE memory_id = ANY(%s)"),
    ("memory_vectors", "DELETE FROM memory_embedding WHERE memory_id = ANY(%s)"),
    (None, "UPDATE memory SET superseded_by_id = NULL WHERE superseded_by_id = ANY(%s)"),
    ("memories", "DELETE FROM memory WHERE id = ANY(%s)"),
)
_OF_SUBJECT: tuple[tuple[str | None, str], ...] = (
    ("memory_vectors", "DELETE FROM memory_embedding WHERE subject_pk = %s"),
    (None, "DELETE FROM memory_embedding_failure WHERE subject_pk = %s"),
    ("memory_tombstones", "DELETE FROM memory_tombstone WHERE subject_pk = %s"),
    ("consents", "DELETE FROM memory_consent WHERE subject_pk = %s"),
    ("boundaries", "DELETE FROM memory_boundary WHERE subject_pk = %s"),
    ("memory_subjects", "DELETE FROM memory_subject WHERE subject_pk = %s"),
)
_SOME_POSTINGS = """
DELETE FROM memory_token WHERE ctid = ANY(ARRAY(SELECT ctid FROM memory_token WHERE subject_pk = %s LIMIT %s))
"""
_HELD = "SELECT 1 FROM memory_subject WHERE subject_pk = %s FOR UPDATE"
_NEXT = "SELECT id FROM memory WHERE subject_pk = %s ORDER BY id LIMIT %s"


def erase(subject_pk: UUID) -> dict[str, int]:
    """Delete all rows about a subject; returns how many of which kind."""
    counts = {name: 0 for name, _ in (*_OF_MEMORIES, *_OF_SUBJECT) if name is not None} | {"memory_postings": 0}
    while found := _batch(subject_pk):
        for name, count in found.items():
            counts[name] += count
    while gone := _postings(subject_pk):
        counts["memory_postings"] += gone
    with transaction.atomic(), connection.cursor() as cursor:
        for table, statement in _OF_SUBJECT:
            cursor.execute(statement, [subject_pk])
            if table is not None:
                counts[table] += cursor.rowcount
    return {name: count for name, count in counts.items() if count}


def erase_target(target: Target) -> Mapping[str, int]:
    """``erase`` as the erasure of a subject calls it."""
    return erase(target.pk)


def delete(memory_ids: Sequence[UUID]) -> dict[str, int]:
    """Delete these memories with their lineage and vectors, inside the caller's transaction. Their postings are the
    caller's: a forgotten memory has none."""
    counts = {}
    with connection.cursor() as cursor:
        for name, statement in _OF_MEMORIES:
            cursor.execute(statement, [list(memory_ids)])
            if name is not None:
                counts[name] = cursor.rowcount
    return counts


def _batch(subject_pk: UUID) -> dict[str, int]:
    """One batch of memories; empty when there are none. No writer of the subject's is under way meanwhile."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_HELD, [subject_pk])
        cursor.execute(_NEXT, [subject_pk, BATCH])
        found = [row[0] for row in cursor.fetchall()]
        return delete(found) if found else {}


def _postings(subject_pk: UUID) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_SOME_POSTINGS, [subject_pk, _POSTINGS])
        gone: int = cursor.rowcount
    return gone
