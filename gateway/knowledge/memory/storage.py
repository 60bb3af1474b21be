"""The SQL of writing memories: many rows, their sources and their postings in one statement."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
RETURNING subject_pk, count, next_sitting, revoked
"""

_TWINS = """
SELECT m.subject_pk, m.content_hash, m.id, m.body, m.confidence, m.superseded_by_id IS NOT NULL, s.source, s.ref
FROM memory m JOIN memory_source s ON s.memory_id = m.id
WHERE m.subject_pk = ANY(%(pks)s) AND m.content_hash = ANY(%(hashes)s) AND m.status = 'active'
UNION ALL
SELECT m.subject_pk, m.content_hash, m.id, m.body, m.confidence, m.superseded_by_id IS NOT NULL, s.source, s.ref
FROM memory m JOIN memory_source s ON s.memory_id = m.id
WHERE m.subject_pk = ANY(%(pks)s) AND m.content_hash = ANY(%(hashes)s) AND m.status IN ('silenced', 'superseded')
    AND (m.corrected OR m.superseded_by_id IS NULL)
"""

_HEAD = """
WITH RECURSIVE chain AS (
    SELECT id, superseded_by_id FROM memory WHERE id = %s
    UNION SELECT m.id, m.superseded_by_id FROM memory m JOIN chain ON m.id = chain.superseded_by_id
) SELECT id FROM chain WHERE superseded_by_id IS NULL
"""

_TIMELINE = """
SELECT occurred_at, sitting FROM memory
WHERE subject_pk = %s AND thread_id = %s AND occurred_at BETWEEN %s AND %s
"""


# What a boundary's words are looked for in: what is said, by whom, of whom, where, and the slot's parts. ``m`` is the
# memory's row.
TOPICAL = """to_tsvector('pg_catalog.english', concat_ws(' ', m.speaker, m.body, m.about, m.place,
        regexp_replace(m.slot, '[^[:alnum:]]+', ' ', 'g')))"""

# The dictionary is the one that recall asks with. to_tsvector runs once a row; positions are what it kept of each
# lexeme, so their number is the term frequency.
_INSERT = """
WITH topics AS MATERIALIZED (
    SELECT b.subject_pk, tsvector_to_array(to_tsvector('pg_catalog.english', b.statement)) AS lexemes
    FROM memory_boundary b WHERE b.subject_pk = ANY(%(pks)s::uuid[]) AND b.kind = 'topic' AND b.lifted_at IS NULL
), input AS MATERIALIZED (
    SELECT x.*, t.tsv, (SELECT coalesce(sum(cardinality(positions)), 0)::smallint FROM unnest(t.tsv)) AS n_tok
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS x(
        id uuid, subject_pk uuid, persona_id text, type text, slot text, body text, value jsonb, speaker text,
        thread_id text, sitting int, occurred_at timestamptz, valid_from timestamptz, valid_to timestamptz,
        recorded_at timestamptz,
        confidence float8, trust smallint, scope text, memory_scope text, source_kinds text[], expires_at timestamptz,
        content_hash text, created_by text, proposal_id uuid, sources jsonb, about text, place text, pii_tags text[],
        status text, retired_at timestamptz, superseded_by uuid, version int, previous_id uuid, pinned_at timestamptz,
        silenced_at timestamptz, lineages text[])
    CROSS JOIN LATERAL (
        SELECT to_tsvector('pg_catalog.english', concat_ws(': ', x.speaker, x.body)) AS tsv OFFSET 0) AS t
), stored AS (
    INSERT INTO memory (
        id, subject_pk, persona_id, type, slot, body, value, speaker, thread_id, sitting, occurred_at, valid_from,
        valid_to, recorded_at, status, confidence, trust, scope, memory_scope, source_kinds, expires_at, content_hash,
        n_tok, created_by, proposal_id, about, place, pii_tags, retired_at, superseded_by_id, version, previous_id,
        pinned_at, silenced_at, lineages, hidden)
    SELECT id, subject_pk, persona_id, type, slot, body, nullif(value, 'null'), speaker, thread_id, sitting,
        occurred_at, valid_from, valid_to, recorded_at, status, confidence, trust, scope, memory_scope,
        source_kinds, expires_at, decode(content_hash, 'hex'), n_tok, created_by, proposal_id, about, place, pii_tags,
        retired_at, superseded_by, version, previous_id, pinned_at, silenced_at, lineages, EXISTS (
            SELECT FROM topics t WHERE t.subject_pk = m.subject_pk
                AND t.lexemes <@ tsvector_to_array({topical}))
    FROM input AS m
), sourced AS (
    INSERT INTO memory_source (memory_id, source, ref, snippet, span, position, observed_at)
    SELECT input.id, s.source, s.ref, s.snippet, s.span, s.position, input.occurred_at
    FROM input, jsonb_to_recordset(input.sources) AS s(
        source text, ref text, snippet text, span int[], position smallint)
)
INSERT INTO memory_token (subject_pk, lexeme, memory_id, tf, n_tok)
SELECT input.subject_pk, t.lexeme, input.id, cardinality(t.positions), input.n_tok FROM input, unnest(input.tsv) AS t
""".replace("{topical}", TOPICAL)

_SOURCES = """
INSERT INTO memory_source (memory_id, source, ref, snippet, span, position, observed_at)
SELECT x.id, x.source, x.ref, x.snippet, x.span,
    coalesce(there.top, -1) + row_number() OVER (PARTITION BY x.id ORDER BY x.place), %(at)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS x(id uuid, source text, ref text, snippet text, span int[], place int)
LEFT JOIN LATERAL (SELECT max(position) AS top FROM memory_source WHERE memory_id = x.id) AS there ON true
ON CONFLICT (memory_id, source, ref) DO NOTHING
"""

# A telling that needs all that another one needs, and more, adds nothing.
_GROWN = """
UPDATE memory m SET confidence = x.confidence, trust = greatest(m.trust, x.trust), lineages = nullif(ARRAY(
    SELECT DISTINCT l FROM unnest(m.lineages || x.lineages) AS l
    WHERE NOT (m.source_kinds::text[] <@ string_to_array(l, chr(31)))), '{}')
FROM jsonb_to_recordset(%s::jsonb) AS x(id uuid, confidence float8, trust smallint, lineages text[]) WHERE m.id = x.id
"""

_RAISE = """
UPDATE memory_subject SET version = version + 1, count = memory_subject.count + d.added, next_sitting = d.next_sitting
FROM unnest(%s::uuid[], %s::int[], %s::int[]) AS d(pk, added, next_sitting) WHERE subject_pk = d.pk
"""


@dataclass(frozen=True, slots=True)
class Held:
    """A subject's state while its lock is held: kept memories, next free sitting, and the sources taken back."""

    count: int
    next_sitting: int
    revoked: list[str]


def lock(subjects: Iterable[tuple[UUID, str]]) -> dict[UUID, Held]:
    """Hold these subjects for writing until the transaction ends."""
    ordered = sorted(set(subjects))  # two batches over the same subjects wait for each other instead of deadlocking
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [[pk for pk, _ in ordered], [name for _, name in ordered]])
        return {pk: Held(count, sitting, revoked) for pk, count, sitting, revoked in cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class Stored:
    """A memory that says the same as a draft. ``replaced`` says that its wording was corrected since."""

    id: UUID
    text: str
    confidence: float
    replaced: bool
    sources: set[tuple[str, str]]


def twins(drafts: Sequence[tuple[UUID, Draft]]) -> dict[tuple[UUID, bytes], Stored]:
    """The memories that say the same, by (subject, content hash): the active one or else the silenced one, else one
    whose wording was corrected."""
    asked: dict[str, Any] = {
        "pks": list({pk for pk, _ in drafts}),
        "hashes": list({draft.content_hash for _, draft in drafts}),
    }
    found: dict[tuple[UUID, bytes], Stored] = {}
    with connection.cursor() as cursor:
        cursor.execute(_TWINS, asked)
        for pk, digest, memory_id, text, confidence, replaced, source, ref in cursor.fetchall():
            key = pk, bytes(digest)
            known = found.get(key)
            if known is None or (known.replaced and not replaced):
                known = found[key] = Stored(memory_id, text, confidence, replaced, set())
            if known.id == memory_id:
                known.sources.add((source, ref))
    return found


def head(memory_id: UUID) -> UUID:
    """The memory that took over from this one, however often that happened; itself when none did."""
    with connection.cursor() as cursor:
        cursor.execute(_HEAD, [memory_id])
        row = cursor.fetchone()
    return row[0] if row else memory_id


def timeline(subject_pk: UUID, thread_id: str, first: datetime, last: datetime) -> list[Mark]:
    """(occurred_at, sitting) of a thread's memories from an hour before ``first`` to an hour after ``last``."""
    with connection.cursor() as cursor:
        cursor.execute(_TIMELINE, [subject_pk, thread_id, first - GAP, last + GAP])
        return list(cursor.fetchall())


def insert(rows: Sequence[dict[str, Any]]) -> None:
    """Store memories with their sources and postings. Each row has the columns of ``_INSERT``'s record."""
    with connection.cursor() as cursor:
        pks = list({str(row["subject_pk"]) for row in rows})
        cursor.execute(_INSERT, {"rows": json.dumps(rows, default=str), "pks": pks})


def corroborate(grown: Sequence[dict[str, Any]], sources: Sequence[dict[str, Any]], at: datetime) -> None:
    """Give stored memories (``id``) their new ``confidence``, a ``trust`` that may be higher, further ``lineages``, and
    further sources: ``id``, ``source``, ``ref``, ``snippet``, ``span``, and their ``place`` among the new ones."""
    with connection.cursor() as cursor:
        cursor.execute(_SOURCES, {"rows": json.dumps(sources, default=str), "at": at})
        cursor.execute(_GROWN, [json.dumps(grown, default=str)])


def raise_versions(changes: dict[UUID, tuple[int, int]]) -> None:
    """New version of each subject, with how many memories it gained and its next free sitting."""
    pks = list(changes)
    with connection.cursor() as cursor:
        cursor.execute(_RAISE, [pks, [changes[pk][0] for pk in pks], [changes[pk][1] for pk in pks]])


def touch(subject_pk: UUID, *, gained: int = 0) -> None:
    """New version of a subject whose visible memories changed, and that keeps so many more (or less) of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE memory_subject SET version = version + 1, count = count + %s WHERE subject_pk = %s",
            [gained, subject_pk],
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


_POST = """
INSERT INTO memory_token (subject_pk, lexeme, memory_id, tf, n_tok)
SELECT m.subject_pk, t.lexeme, m.id, cardinality(t.positions), m.n_tok
FROM memory m, unnest(to_tsvector('pg_catalog.english', concat_ws(': ', m.speaker, m.body))) AS t
WHERE m.id = %s ON CONFLICT DO NOTHING
"""


def post(memory_id: UUID) -> None:
    """Put a restored memory back into the index."""
    with connection.cursor() as cursor:
        cursor.execute(_POST, [memory_id])


def drop_embeddings(memory_id: UUID) -> None:
    """Take away what a memory means in every model's space."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM memory_embedding WHERE memory_id = %s", [memory_id])


_COPY_SOURCES = """
INSERT INTO memory_source (memory_id, source, ref, snippet, span, position, observed_at)
SELECT %(new)s, source, ref, snippet, span, position, observed_at FROM memory_source WHERE memory_id = %(old)s
"""


def copy_sources(old: UUID, new: UUID) -> None:
    """Give a corrected memory the sources of the one it corrects."""
    with connection.cursor() as cursor:
        cursor.execute(_COPY_SOURCES, {"old": old, "new": new})
