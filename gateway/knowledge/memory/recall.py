"""Recall inside one subject: BM25 over the postings, in one SQL statement.

All visibility conditions stand inline on the base table, in the statistics as well as in the matches: a materialized
set of visible rows that every part joins is forty times slower, and a hidden memory must not even shift the others'
scores.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection

from gateway.core import clock
from gateway.core.errors import FieldProblem
from gateway.knowledge.memory.cache import RecallCache
from gateway.knowledge.memory.errors import InvalidMemory
from gateway.knowledge.memory.types import MAX_K, MAX_QUERY, MemoryType, Provenance, Recall, RecalledMemory, RecallQuery
from tenants.context import current

K1, B = 0.9, 0.4
_FUTURE = "infinity"

_ALWAYS = """m.subject_pk = %(subject)s AND m.status IN ('active', 'superseded')
  AND m.recorded_at <= %(known_at)s::timestamptz AND (m.retired_at IS NULL OR m.retired_at > %(known_at)s::timestamptz)
  AND (m.valid_from IS NULL OR m.valid_from <= %(as_of)s) AND (m.valid_to IS NULL OR m.valid_to > %(as_of)s)
  AND (m.expires_at IS NULL OR m.expires_at > %(now)s)"""
_IF_ASKED = {
    "memory_scopes": "m.memory_scope = ANY(%(memory_scopes)s)",
    "types": "m.type = ANY(%(types)s)",
    "personas": "(m.persona_id IS NULL OR m.scope <> 'private' OR m.persona_id = ANY(%(personas)s))",
    "min_confidence": "m.confidence >= %(min_confidence)s",
}

_STATEMENT = """
WITH st AS MATERIALIZED (SELECT count(*)::float8 AS n, avg(m.n_tok)::float8 AS a FROM memory m WHERE {visible}),
qt AS MATERIALIZED (SELECT unnest(tsvector_to_array(to_tsvector('pg_catalog.english', %(query)s))) AS lexeme),
p AS MATERIALIZED (
    SELECT k.memory_id, k.tf, k.lexeme, m.n_tok
    FROM qt JOIN memory_token k ON k.subject_pk = %(subject)s AND k.lexeme = qt.lexeme
    JOIN memory m ON m.id = k.memory_id
    WHERE {visible}),
df AS (SELECT lexeme, count(*)::float8 AS df FROM p GROUP BY 1),
lex AS (
    SELECT p.memory_id AS id, sum(ln(1 + (st.n - df.df + .5) / (df.df + .5))
        * p.tf * (1 + {k1}) / (p.tf + {k1} * (1 - {b} + {b} * p.n_tok / st.a))) AS score
    FROM p JOIN df USING (lexeme) CROSS JOIN st GROUP BY 1),
best AS (SELECT id, score FROM lex WHERE score > 0 ORDER BY score DESC, id LIMIT %(k)s)
SELECT coalesce((SELECT version FROM memory_subject WHERE subject_pk = %(subject)s), 0), r.*
FROM (SELECT 1) AS always LEFT JOIN LATERAL (
    SELECT m.id, m.body, m.type, best.score, m.confidence, m.occurred_at, m.memory_scope, s.source, s.ref, s.snippet,
        least(m.expires_at, m.valid_to) AS visible_until
    FROM best JOIN memory m USING (id) JOIN memory_source s ON s.memory_id = m.id AND s.position = 0) AS r ON true
ORDER BY r.score DESC, r.id
"""

_cache = RecallCache()


def recall(query: RecallQuery) -> Recall:
    """The subject's memories that fit the query's words, best first, at most ``k``.

    Words beyond the first 4,000 characters of the query are not looked at. Raises InvalidMemory for a bad ``k``,
    type, confidence or time.
    """
    now = clock.now()
    _check(query, now)
    key = (current().id, query)
    # Inside a transaction the rows seen may never be committed, so nothing read there is kept or answered from before.
    keep = not connection.in_atomic_block
    entry = _cache.get(key) if keep else None
    if entry is not None and entry.version == _version(query) and _still_visible(entry.memories, now):
        return Recall(entry.memories, cache_hit=True, degraded=False, version=entry.version)
    memories, version = _search(query, now)
    if keep:
        _cache.put(key, memories, version)
    return Recall(memories, cache_hit=False, degraded=False, version=version)


def _search(query: RecallQuery, now: datetime) -> tuple[tuple[RecalledMemory, ...], int]:
    values: dict[str, Any] = {
        "subject": query.subject_pk,
        "query": query.query[:MAX_QUERY].replace("\0", " ").encode("utf-8", "replace").decode(),
        "k": query.k,
        "now": now,
        "as_of": query.as_of or now,
        "known_at": query.known_at or _FUTURE,
        "min_confidence": query.min_confidence or None,
    }
    for name in ("memory_scopes", "types", "personas"):
        asked = getattr(query, name)
        values[name] = list(asked) if asked is not None else None
    conditions = [_ALWAYS, *(sql for name, sql in _IF_ASKED.items() if values[name] is not None)]
    statement = _STATEMENT.format(visible=" AND ".join(conditions), k1=K1, b=B)
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows = cursor.fetchall()
    return tuple(_recalled(row, query.explain) for row in rows if row[1] is not None), rows[0][0]


def _recalled(row: tuple[Any, ...], explain: bool) -> RecalledMemory:
    _, memory_id, body, kind, score, confidence, occurred_at, memory_scope, source, ref, snippet, until = row
    return RecalledMemory(
        memory_id, body, kind, score, confidence, occurred_at, Provenance(source, ref or None, snippet), memory_scope,
        {"lexical": score} if explain else None, until,
    )  # fmt: skip


def _version(query: RecallQuery) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT version FROM memory_subject WHERE subject_pk = %s", [query.subject_pk])
        row = cursor.fetchone()
    return row[0] if row else 0


def _still_visible(memories: tuple[RecalledMemory, ...], now: datetime) -> bool:
    """Time passes without a new version: nothing that has expired or stopped being true meanwhile is served."""
    return all(memory.visible_until is None or memory.visible_until > now for memory in memories)


def _check(query: RecallQuery, now: datetime) -> None:
    problems = []
    if not 1 <= query.k <= MAX_K:
        problems.append(FieldProblem("#/k", "out_of_range", f"must be 1 to {MAX_K}, not {query.k}"))
    if not 0 <= query.min_confidence <= 1:
        problems.append(FieldProblem("#/min_confidence", "out_of_range", "must be 0 to 1"))
    known = [member.value for member in MemoryType]
    for index, name in enumerate(query.types or ()):
        if name not in known:
            problems.append(FieldProblem(f"#/types/{index}", "unknown_value", f"must be one of {', '.join(known)}"))
    for name, moment in (("as_of", query.as_of), ("known_at", query.known_at)):
        if moment is not None and moment.tzinfo is None:
            problems.append(
                FieldProblem(f"#/{name}", "offset_missing", "must carry an offset, like 2026-01-31T09:00:00Z")
            )
        elif moment is not None and moment > now:
            problems.append(FieldProblem(f"#/{name}", "in_the_future", f"must not lie after now ({now.isoformat()})"))
    if problems:
        raise InvalidMemory(problems)
