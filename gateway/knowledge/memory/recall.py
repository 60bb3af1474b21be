"""Recall inside one subject: BM25 over the postings, in one SQL statement.

All visibility conditions stand on the base table, once, and both the matches and the statistics are taken from what
they leave: a hidden memory must not even shift the others' scores.

The statement is shaped so that wrong row estimates cannot hurt it, because right after an import they are always wrong:
nothing large is ever joined. Postings are reached by their key, lexeme by lexeme; what is visible is tested in a hash
(``IN (…) IS TRUE`` stays a subplan, a bare ``IN`` would become a join); a lexeme's matches are kept as arrays. Written
as joins, the same search over 10,000 memories took minutes until somebody ran ANALYZE.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from django.db import connection

from gateway.core import clock
from gateway.core.errors import FieldProblem
from gateway.knowledge.memory.cache import TTL_S, RecallCache
from gateway.knowledge.memory.errors import InvalidMemory
from gateway.knowledge.memory.types import MAX_K, MAX_QUERY, MemoryType, Provenance, Recall, RecalledMemory, RecallQuery
from tenants.context import current

K1, B = 0.9, 0.4  # of BM25
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
WITH visible AS MATERIALIZED (SELECT m.id, m.n_tok FROM memory m WHERE {visible}),
st AS MATERIALIZED (SELECT count(*)::float8 AS n, avg(n_tok)::float8 AS a FROM visible),
qt AS MATERIALIZED (SELECT unnest(tsvector_to_array(to_tsvector('pg_catalog.english', %(query)s))) AS lexeme),
p AS MATERIALIZED (
    SELECT found.*, cardinality(found.ids)::float8 AS df FROM qt CROSS JOIN LATERAL (
        SELECT array_agg(k.memory_id) AS ids, array_agg(k.tf) AS tfs, array_agg(k.n_tok) AS lengths
        FROM memory_token k
        WHERE k.subject_pk = %(subject)s AND k.lexeme = qt.lexeme
            AND (k.memory_id IN (SELECT id FROM visible)) IS TRUE) AS found),
w AS MATERIALIZED (
    SELECT p.*, ln(1 + (st.n - p.df + .5) / (p.df + .5)) * (1 + {k1}) AS weight, {k1} * {b} / st.a AS per_token
    FROM p CROSS JOIN st WHERE st.n > 0),
lex AS (
    SELECT u.id, sum(w.weight * u.tf / (u.tf + {k1} * (1 - {b}) + w.per_token * u.length)) AS score
    FROM w CROSS JOIN LATERAL unnest(w.ids, w.tfs, w.lengths) AS u(id, tf, length) GROUP BY u.id),
best AS (SELECT id, score FROM lex WHERE score > 0 ORDER BY score DESC, id LIMIT %(k)s)
SELECT coalesce((SELECT version FROM memory_subject WHERE subject_pk = %(subject)s), 0), r.*
FROM (SELECT 1) AS always LEFT JOIN LATERAL (
    SELECT m.id, m.body, m.type, best.score, m.confidence, m.occurred_at, m.memory_scope, s.source, s.ref, s.snippet,
        least(m.expires_at, m.valid_to) AS visible_until
    FROM best JOIN memory m USING (id) JOIN memory_source s ON s.memory_id = m.id AND s.position = 0) AS r ON true
ORDER BY r.score DESC, r.id
"""

_cache = RecallCache()


def recall(query: RecallQuery, *, ttl_s: float = TTL_S) -> Recall:
    """The subject's memories that fit the query's words, best first, at most ``k``. An answer from the cache is at most
    ``ttl_s`` seconds old; 0 asks the database.

    Words beyond the first 4,000 characters of the query are not looked at. Raises InvalidMemory for a bad ``k``,
    type, confidence or time.
    """
    now = clock.now()
    _check(query, now)
    key = (current().id, query)
    # Inside a transaction the rows seen may never be committed, so nothing read there is kept or answered from before.
    keep = ttl_s > 0 and not connection.in_atomic_block
    entry = _cache.get(key, ttl_s) if keep else None
    if entry is not None and entry.version == _version(query) and _still_visible(entry.memories, now):
        left = max(0, round(ttl_s - (time.monotonic() - entry.stored_at)))
        return Recall(entry.memories, cache_hit=True, degraded=False, version=entry.version, cached=(key, left))
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
    statement = _STATEMENT.format(visible=" AND ".join(conditions), k1=f"{K1}::float8", b=f"{B}::float8")
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
