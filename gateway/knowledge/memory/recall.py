"""Recall: the memories of one subject that fit a question, best first, and the organization's knowledge beside them.

``recall_query`` reads the question, ``recall_statement`` is the SQL, ``recall_search`` asks it, ``recall_ranking``
makes the answer of what it finds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Hashable, Sequence
from dataclasses import replace
from datetime import datetime

from django.db import connection

from gateway.core import clock
from gateway.core.errors import FieldProblem
from gateway.knowledge.memory.cache import TTL_S, Entry, RecallCache
from gateway.knowledge.memory.errors import InvalidMemory
from gateway.knowledge.memory.recall_query import analyse
from gateway.knowledge.memory.recall_ranking import nothing_found, rank, recalled, shown
from gateway.knowledge.memory.recall_search import search, versions
from gateway.knowledge.memory.types import MAX_K, MAX_QUERY, ORG_KNOWLEDGE, MemoryType, Recall, RecallQuery
from tenants.context import current

ORG_SCOPE = "org_kb"
# How long another thread that asks the same is waited for before asking oneself.
_FLIGHT_S = 1.0
# So long an answer is kept that was found while some memories waited for their embeddings.
_PARTIAL_S = 10.0

_cache = RecallCache()


def recall(query: RecallQuery, *, ttl_s: float = TTL_S) -> Recall:
    """At most ``k`` memories of the subject, and of the organization's knowledge where ``memory_scopes`` allow it. An
    answer from the cache is at most ``ttl_s`` seconds old; 0 asks the database.

    Words beyond the first 4,000 characters of the query are not looked at. Raises InvalidMemory for a bad ``k``,
    type, confidence or time.
    """
    now = clock.now()
    _check(query, now)
    if query.memory_scopes is not None:
        query = replace(query, memory_scopes=tuple(one.casefold() for one in query.memory_scopes))
    if query.meaning is not None and not _has_direction(query.meaning.vector):
        query = replace(query, meaning=None)
    # Inside a transaction the rows seen may never be committed, so nothing read there is kept or answered from before.
    if ttl_s <= 0 or connection.in_atomic_block:
        return _answer(query, _search(query, now))
    key = (current().id, query)
    found = _cached(key, query, now, ttl_s)
    if found is None:
        with _cache.flight(key, _FLIGHT_S) as waited:
            found = _cached(key, query, now, ttl_s) if waited else None
            if found is None:
                entry = _search(query, now)
                _cache.put(key, entry)
                found = _answer(query, entry)
    return found


def _search(query: RecallQuery, now: datetime) -> Entry:
    analysis = analyse(query.query[:MAX_QUERY], query.as_of or query.known_at or now)
    limit = min(2 * query.k + 20, 2 * MAX_K)
    own = search(query, analysis, now, subject_pk=query.subject_pk, beside=ORG_KNOWLEDGE.pk, limit=limit)
    candidates, beside, changes = own.candidates, own.beside, [own.changes_at]
    if _asks_organization(query) and beside is not None:
        theirs = search(query, analysis, now, subject_pk=ORG_KNOWLEDGE.pk, beside=query.subject_pk, limit=limit)
        candidates, beside = (*candidates, *theirs.candidates), theirs.version
        changes.append(theirs.changes_at)
    ranked = rank(candidates, now, time_named=bool(analysis.months or analysis.ranges))
    best = shown(ranked, query.k, only_relevant=query.only_relevant)
    return Entry(
        tuple(recalled(one, explain=query.explain) for one in best),
        (own.version, beside if _asks_organization(query) else None),
        nothing_found=nothing_found(ranked),
        model_id=query.meaning.model_id if query.meaning is not None else None,
        partial=query.meaning is not None and any(one.cosine is None for one in candidates),
        # What was true at a given time stays so.
        until=min((at for at in changes if at is not None), default=None) if _asks_now(query) else None,
    )


def _asks_now(query: RecallQuery) -> bool:
    return query.as_of is None and query.known_at is None


def _cached(key: Hashable, query: RecallQuery, now: datetime, ttl_s: float) -> Recall | None:
    entry = _cache.get(key, ttl_s)
    if entry is None or not _fits(entry, query, now) or entry.versions != _versions(query):
        return None
    left = max(0, round(ttl_s - (time.monotonic() - entry.stored_at)))
    return _answer(query, entry, cached=(key, left))


def _answer(query: RecallQuery, entry: Entry, cached: tuple[Hashable, int] | None = None) -> Recall:
    return Recall(
        entry.memories,
        cache_hit=cached is not None,
        degraded=query.meaning_expected and entry.model_id is None,
        version=entry.versions[0],
        cached=cached,
        nothing_found=entry.nothing_found,
    )


def _fits(entry: Entry, query: RecallQuery, now: datetime) -> bool:
    """Whether an entry serves this question: found with this model's meaning or, when the question has none, with any;
    nothing in it has expired or stopped being true, and nothing else has become true, because time passes without a new
    version."""
    if query.meaning is not None and query.meaning.model_id != entry.model_id:
        return False
    if entry.partial and time.monotonic() - entry.stored_at > _PARTIAL_S:
        return False
    if entry.until is not None and entry.until <= now:
        return False
    return all(memory.visible_until is None or memory.visible_until > now for memory in entry.memories)


def _has_direction(vector: Sequence[float]) -> bool:
    """Whether cosines with it can be computed."""
    return any(vector) and all(math.isfinite(number) for number in vector)


def _asks_organization(query: RecallQuery) -> bool:
    return query.subject_pk != ORG_KNOWLEDGE.pk and (query.memory_scopes is None or ORG_SCOPE in query.memory_scopes)


def _versions(query: RecallQuery) -> tuple[int, int | None]:
    asked = [query.subject_pk, *([ORG_KNOWLEDGE.pk] if _asks_organization(query) else [])]
    found = versions(asked)
    return found.get(query.subject_pk, 0), found.get(ORG_KNOWLEDGE.pk) if len(asked) > 1 else None


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
