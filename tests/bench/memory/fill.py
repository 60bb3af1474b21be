"""A tenant full of other people: one subject's rows, copied to as many subjects as it takes.

Ids go in by COPY; the rest is unfolded inside PostgreSQL, postings in the order of their key. The copies differ in
nothing but whose they are, which is what a search inside one subject has to cope with: large tables around it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from gateway.core import ids
from tests.bench.memory.load import COLUMNS, count_subjects, create_subjects

_AT_ONCE = 10
_COPIED = [name for name in COLUMNS if name not in {"id", "subject_pk", "superseded_by_id"}]
_POOL = """
CREATE TEMP TABLE pool AS SELECT row_number() OVER (ORDER BY id) AS n, memory.* FROM memory WHERE subject_pk = %s;
CREATE TEMP TABLE pool_source AS SELECT n, s.* FROM pool JOIN memory_source s ON s.memory_id = pool.id;
CREATE TEMP TABLE pool_token AS SELECT n, t.* FROM pool JOIN memory_token t
    ON t.memory_id = pool.id AND t.subject_pk = pool.subject_pk ORDER BY t.lexeme, n;
CREATE TEMP TABLE pool_embedding AS SELECT n, e.model_id, e.emb FROM pool JOIN memory_embedding e
    ON e.memory_id = pool.id AND e.subject_pk = pool.subject_pk;
CREATE TEMP TABLE copied (subject_pk uuid, n int, id uuid);
ANALYZE pool; ANALYZE pool_source; ANALYZE pool_token; ANALYZE pool_embedding
"""
_UNFOLD = f"""
ANALYZE copied;
INSERT INTO memory (id, subject_pk, n_tok, {", ".join(_COPIED)})
SELECT copied.id, copied.subject_pk, n_tok, {", ".join(_COPIED)} FROM copied JOIN pool USING (n) ORDER BY 2, 1;
INSERT INTO memory_source (memory_id, source, ref, snippet, position, observed_at)
SELECT copied.id, source, ref, snippet, position, observed_at FROM copied JOIN pool_source USING (n) ORDER BY 1;
INSERT INTO memory_token (subject_pk, lexeme, memory_id, tf, n_tok)
SELECT copied.subject_pk, lexeme, copied.id, tf, n_tok FROM copied JOIN pool_token USING (n) ORDER BY 1, 2, 3;
INSERT INTO memory_embedding (memory_id, subject_pk, model_id, emb)
SELECT copied.id, copied.subject_pk, model_id, emb FROM copied JOIN pool_embedding USING (n) ORDER BY 1;
TRUNCATE copied
"""


def fill(cursor: Any, pool: UUID, memories: int, subjects: int) -> int:
    """Copy the subject ``pool`` with its ``memories`` rows ``subjects`` times; returns how many memories that made."""
    _each(cursor, _POOL, [pool])
    named = {f"usr_other_{number:04d}": ids.uuid7() for number in range(subjects)}
    create_subjects(cursor, named)
    for some in _batches(list(named.values())):
        with cursor.copy("COPY copied (subject_pk, n, id) FROM STDIN") as copy:
            for pk in some:
                for n, memory_id in enumerate(_ids(memories), 1):
                    copy.write_row([pk, n, memory_id])
        _each(cursor, _UNFOLD, [])
    count_subjects(cursor, named, {})
    return memories * subjects


def settle(connection: Any) -> None:
    """Statistics and visibility maps as they are some minutes after an import. Outside a transaction."""
    for table in ("memory", "memory_source", "memory_token", "memory_embedding", "memory_subject", "subject"):
        connection.execute(f"VACUUM ANALYZE {table}")


def _each(cursor: Any, statements: str, values: Sequence[Any]) -> None:
    """One at a time: only the first has a parameter, and several in one call may have none."""
    for number, statement in enumerate(statements.split(";\n")):
        for part in statement.split("; "):
            cursor.execute(part, values if number == 0 and values else None)


def _batches(pks: list[UUID]) -> Iterator[list[UUID]]:
    for start in range(0, len(pks), _AT_ONCE):
        yield pks[start : start + _AT_ONCE]


def _ids(count: int) -> Iterator[UUID]:
    moment = ids.uuid7().int >> 80
    random = os.urandom(10 * count)
    for number in range(count):
        yield ids.uuid7_at(moment, int.from_bytes(random[10 * number : 10 * number + 10], "big"))
