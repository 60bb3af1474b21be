"""The SQL of writing memories: many rows, their sources and their postings in one statement."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from gateway.knowledge.memory.drafts import Draft
from gateway.knowledge.memory.sittings import GAP, Mark

_LOCK = """
INSERT INTO memory_subject AS held (subject_pk, subject_id, version, count, next_sitting)
SELECT pk, id, 0, 0, 1 FROM unnest(%s::uuid[], %s::text[]) AS wanted(pk, id)
ON CONFLICT (subject_pk) DO UPDATE SET subject_id = excluded.subject_id
RETURNING subject_pk, count, next_sitting
"""

_TWINS = """
SELECT m.subject_pk, m.content_hash, m.id, m.confidence, s.source, s.ref
FROM memory m JOIN memory_source s ON s.memory_id = m.id
WHERE m.status = 'active' AND m.subject_pk = ANY(%s) AND m.content_hash = ANY(%s)
"""

_TIMELINE = """
SELECT occurred_at, sitting FROM memory
WHERE subject_pk = %s AND thread_id = %s AND occurred_at BETWEEN %s AND %s
"""

# The dictionary is the one that recall asks with. to_tsvector runs once a row; positions are what it kept of each
# lexeme, so their number is the term frequency.
_INSERT = """
WITH input AS MATERIALIZED (
    SELECT x.*, t.tsv, (SELECT coalesce(sum(cardinality(positions)), 0)::smallint FROM unnest(t.tsv)) AS n_tok
    FROM jsonb_to_recordset(%s::jsonb) AS x(
        id uuid, subject_pk uuid, persona_id text, type text, slot text, body text, value jsonb, speaker text,
        thread_id text, sitting int, occurred_at timestamptz, valid_from timestamptz, valid_to timestamptz,
        recorded_at timestamptz,
        confidence float8, trust smallint, scope text, memory_scope text, source_kinds text[], expires_at timestamptz,
        content_hash text, created_by text, proposal_id uuid, sources jsonb)
    CROSS JOIN LATERAL (
        SELECT to_tsvector('pg_catalog.english', concat_ws(': ', x.speaker, x.body)) AS tsv OFFSET 0) AS t
), stored AS (
    INSERT INTO memory (
        id, subject_pk, persona_id, type, slot, body, value, speaker, thread_id, sitting, occurred_at, valid_from,
        valid_to, recorded_at, status, confidence, trust, scope, memory_scope, source_kinds, expires_at, content_hash,
        n_tok, created_by, proposal_id)
    SELECT id, subject_pk, persona_id, type, slot, body, nullif(value, 'null'), speaker, thread_id, sitting,
        occurred_at, valid_from, valid_to, recorded_at, 'active', confidence, trust, scope, memory_scope,
        source_kinds, expires_at, decode(content_hash, 'hex'), n_tok, created_by, proposal_id
    FROM input
), sourced AS (
    INSERT INTO memory_source (memory_id, source, ref, snippet, position, observed_at)
    SELECT input.id, s.source, s.ref, s.snippet, s.position, input.occurred_at
    FROM input, jsonb_to_recordset(input.sources) AS s(source text, ref text, snippet text, position smallint)
)
INSERT INTO memory_token (subject_pk, lexeme, memory_id, tf, n_tok)
SELECT input.subject_pk, t.lexeme, input.id, cardinality(t.positions), input.n_tok FROM input, unnest(input.tsv) AS t
"""

_SOURCE = """
INSERT INTO memory_source (memory_id, source, ref, snippet, position, observed_at)
SELECT %(id)s, %(source)s, %(ref)s, %(snippet)s, max(position) + 1, %(at)s FROM memory_source WHERE memory_id = %(id)s
ON CONFLICT (memory_id, source, ref) DO NOTHING
"""

_RAISE = """
UPDATE memory_subject SET version = version + 1, count = memory_subject.count + d.added, next_sitting = d.next_sitting
FROM unnest(%s::uuid[], %s::int[], %s::int[]) AS d(pk, added, next_sitting) WHERE subject_pk = d.pk
"""


def lock(subjects: Iterable[tuple[UUID, str]]) -> dict[UUID, tuple[int, int]]:
    """Hold these subjects for writing until the transaction ends; returns (active memories, next sitting) of each."""
    ordered = sorted(set(subjects))  # two batches over the same subjects wait for each other instead of deadlocking
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [[pk for pk, _ in ordered], [name for _, name in ordered]])
        return {pk: (count, sitting) for pk, count, sitting in cursor.fetchall()}


def twins(drafts: Sequence[tuple[UUID, Draft]]) -> dict[tuple[UUID, bytes], tuple[UUID, float, set[tuple[str, str]]]]:
    """The active memories that say the same: id, confidence and (source, ref) pairs by (subject, content hash)."""
    found: dict[tuple[UUID, bytes], tuple[UUID, float, set[tuple[str, str]]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_TWINS, [list({pk for pk, _ in drafts}), list({draft.content_hash for _, draft in drafts})])
        for pk, digest, memory_id, confidence, source, ref in cursor.fetchall():
            found.setdefault((pk, bytes(digest)), (memory_id, confidence, set()))[2].add((source, ref))
    return found


def timeline(subject_pk: UUID, thread_id: str, first: datetime, last: datetime) -> list[Mark]:
    """(occurred_at, sitting) of a thread's memories from an hour before ``first`` to an hour after ``last``."""
    with connection.cursor() as cursor:
        cursor.execute(_TIMELINE, [subject_pk, thread_id, first - GAP, last + GAP])
        return list(cursor.fetchall())


def insert(rows: Sequence[dict[str, Any]]) -> None:
    """Store memories with their sources and postings. Each row has the columns of ``_INSERT``'s record."""
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [json.dumps(rows, default=str)])


def corroborate(
    memory_id: UUID, confidence: float, sources: Iterable[tuple[str, str | None, str | None]], at: datetime
) -> None:
    """Give a stored memory further sources and its new confidence."""
    with connection.cursor() as cursor:
        for source, ref, snippet in sources:
            values: dict[str, Any] = {"id": memory_id, "source": source, "ref": ref or "", "snippet": snippet, "at": at}
            cursor.execute(_SOURCE, values)
        cursor.execute("UPDATE memory SET confidence = %s WHERE id = %s", [confidence, memory_id])


def raise_versions(changes: dict[UUID, tuple[int, int]]) -> None:
    """New version of each subject, with how many memories it gained and its next free sitting."""
    pks = list(changes)
    with connection.cursor() as cursor:
        cursor.execute(_RAISE, [pks, [changes[pk][0] for pk in pks], [changes[pk][1] for pk in pks]])


def lost(subject_pk: UUID, memories: int) -> None:
    """New version of a subject that holds so many active memories less."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE memory_subject SET version = version + 1, count = count - %s WHERE subject_pk = %s",
            [memories, subject_pk],
        )


_DROP = """
DELETE FROM memory_token WHERE subject_pk = %(subject)s AND memory_id = %(memory)s AND lexeme = ANY(
    SELECT unnest(tsvector_to_array(to_tsvector('pg_catalog.english', concat_ws(': ', m.speaker, m.body))))
    FROM memory m WHERE m.id = %(memory)s)
"""


def drop_postings(subject_pk: UUID, memory_id: UUID) -> None:
    """Take a memory out of the index. Found by its own words, since the postings are keyed by lexeme.

    Recall asks the memory's own row as well, so a posting that a changed dictionary leaves behind finds nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DROP, {"subject": subject_pk, "memory": memory_id})
