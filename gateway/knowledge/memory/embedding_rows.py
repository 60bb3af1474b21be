"""The SQL of embedding: what has no vector of a model yet, storing vectors, and what could not be embedded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from gateway.core.embedder.client import Vector

# What a model sees of a text, and more; it bounds what a batch weighs.
_CHARACTERS = 4_000
# A text that was refused is tried again after one, four, sixteen and sixty-four hours.
MAX_TRIES = 5

_DUE = """NOT EXISTS (SELECT 1 FROM memory_embedding e WHERE e.memory_id = m.id AND e.model_id = %(model)s)
  AND NOT EXISTS (SELECT 1 FROM memory_embedding_failure f WHERE f.memory_id = m.id AND f.model_id = %(model)s
                  AND (f.tries >= %(most)s OR f.failed_at + interval '1 hour' * power(4, f.tries - 1) > now()))"""

_PENDING = f"""
SELECT m.id, left(concat_ws(': ', m.speaker, m.body), %(characters)s) FROM memory m
WHERE m.subject_pk = ANY(%(subjects)s) AND m.status <> 'forgotten' AND {_DUE} ORDER BY m.id LIMIT %(limit)s
"""  # noqa: S608 - of constants alone

_LEFT_BEHIND = f"""
SELECT DISTINCT m.subject_pk FROM memory m WHERE m.status <> 'forgotten' AND {_DUE} LIMIT %(limit)s
"""  # noqa: S608 - of constants alone

# In the order in which writers take them, and before any memory: nobody waits for us and we for them at once.
_LOCK = "SELECT subject_pk FROM memory_subject WHERE subject_pk = ANY(%s) ORDER BY subject_pk FOR UPDATE"

# Whoever forgets a memory meanwhile either waits for these rows, and then deletes them, or is waited for, and then
# there is nothing to insert: FOR SHARE reads the status anew.
_INSERT = """
WITH kept AS (
    SELECT m.id, m.subject_pk FROM memory m WHERE m.id = ANY(%(ids)s) AND m.status <> 'forgotten'
    ORDER BY m.id FOR SHARE
), done AS (
    DELETE FROM memory_embedding_failure WHERE memory_id = ANY(%(ids)s) AND model_id = %(model)s
), inserted AS (
    INSERT INTO memory_embedding (memory_id, model_id, subject_pk, emb)
    SELECT kept.id, %(model)s, kept.subject_pk, v.emb::vector
    FROM unnest(%(ids)s::uuid[], %(vectors)s::text[]) AS v(id, emb) JOIN kept ON kept.id = v.id
    ON CONFLICT (memory_id, model_id) DO NOTHING RETURNING subject_pk
), touched AS (
    UPDATE memory_subject SET version = version + 1 WHERE subject_pk IN (SELECT subject_pk FROM inserted)
)
SELECT count(*) FROM inserted
"""

_FAILED = """
INSERT INTO memory_embedding_failure AS f (memory_id, model_id, subject_pk, code, tries, failed_at)
SELECT m.id, %(model)s, m.subject_pk, %(code)s, 1, now() FROM memory m
WHERE m.id = ANY(%(ids)s) AND m.status <> 'forgotten' ORDER BY m.id FOR SHARE
ON CONFLICT (memory_id, model_id) DO UPDATE SET tries = f.tries + 1, code = excluded.code, failed_at = now()
"""

_COUNTS = """
SELECT (SELECT count(*) FROM memory WHERE status <> 'forgotten'),
       (SELECT count(*) FROM memory_embedding WHERE model_id = %(model)s),
       (SELECT count(*) FROM memory_embedding_failure f JOIN memory m ON m.id = f.memory_id
        WHERE f.model_id = %(model)s AND m.status <> 'forgotten')
"""

_ORPHANS = """
DELETE FROM memory_embedding_failure f
WHERE NOT EXISTS (SELECT 1 FROM memory m WHERE m.id = f.memory_id AND m.status <> 'forgotten')
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How many memories have a vector of a model, have none yet, and were refused by it."""

    embedded: int
    pending: int
    failed: int


def pending(subjects: Sequence[UUID], model: str, limit: int) -> list[tuple[UUID, str]]:
    """(id, text) of memories of these subjects that have no vector of the model and are due, oldest first."""
    given: dict[str, Any] = {
        "subjects": list(subjects),
        "model": model,
        "limit": limit,
        "characters": _CHARACTERS,
        "most": MAX_TRIES,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PENDING, given)
        return list(cursor.fetchall())


def left_behind(model: str, limit: int) -> list[UUID]:
    """Subjects with a memory that is due. Reads every memory of the organization, and drops what is noted of memories
    that are gone."""
    with connection.cursor() as cursor:
        cursor.execute(_ORPHANS)
        cursor.execute(_LEFT_BEHIND, {"model": model, "limit": limit, "most": MAX_TRIES})
        return [row[0] for row in cursor.fetchall()]


def lock(subjects: Sequence[UUID]) -> None:
    """Hold these subjects against writers until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [list(subjects)])


def insert(subjects: Sequence[UUID], model: str, rows: Sequence[tuple[UUID, Vector]]) -> int:
    """Keep vectors of memories of these subjects that are still there; how many were new. Their subjects' versions
    rise, so that no recall made without them is served again."""
    vectors = [f"[{','.join(map(repr, vector))}]" for _, vector in rows]
    with transaction.atomic():
        lock(subjects)
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, {"ids": [one for one, _ in rows], "vectors": vectors, "model": model})
            return int(cursor.fetchone()[0])


def failed(model: str, ids: Sequence[UUID], code: str) -> None:
    """Note that these were refused; each is tried again later, ``MAX_TRIES`` times in all."""
    with connection.cursor() as cursor:
        cursor.execute(_FAILED, {"model": model, "ids": list(ids), "code": code})


def forgive(model: str, ids: Sequence[UUID] | None = None) -> int:
    """Let what a model refused be tried again now, of these memories or of all; how many that is."""
    sql = "DELETE FROM memory_embedding_failure WHERE model_id = %s AND (%s OR memory_id = ANY(%s::uuid[]))"
    with connection.cursor() as cursor:
        cursor.execute(sql, [model, ids is None, list(ids or ())])
        return int(cursor.rowcount)


def counts(model: str) -> Progress:
    """Counted anew each time: a tenth of a second for a million memories."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"model": model})
        stored, embedded, refused = cursor.fetchone()
    return Progress(embedded, max(0, stored - embedded - refused), refused)
