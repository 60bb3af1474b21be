"""Fills a tenant's schema with data sets by COPY, the rows being what ``POST /v1/memories`` would have written.

Columns are made by the product's own functions; what goes another way is the SQL, for speed, and ``recorded_at``, which
an API would never take from outside. ``tests/quality/test_loader.py`` holds the two equal.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from gateway.core import ids
from gateway.knowledge.memory import rows, sittings
from gateway.knowledge.memory.drafts import check
from gateway.knowledge.memory.types import NewMemory, Provenance
from tests.bench.memory.dataset import EXPIRED, FORGOTTEN, SILENCED, SUPERSEDED, Person, Turn

# How a memory's columns are spelled, in the order of the COPY. ``sources`` becomes rows of its own.
COLUMNS = {
    "id": "uuid", "subject_pk": "uuid", "persona_id": "text", "type": "text", "slot": "text", "body": "text",
    "value": "jsonb", "speaker": "text", "thread_id": "text", "sitting": "int", "occurred_at": "timestamptz",
    "valid_from": "timestamptz", "valid_to": "timestamptz", "recorded_at": "timestamptz", "status": "text",
    "confidence": "float8", "trust": "smallint", "scope": "text", "memory_scope": "text", "source_kinds": "text[]",
    "expires_at": "timestamptz", "content_hash": "bytea", "created_by": "text", "proposal_id": "uuid", "about": "text",
    "place": "text", "pii_tags": "text[]", "retired_at": "timestamptz", "superseded_by_id": "uuid", "version": "int",
    "previous_id": "uuid", "pinned_at": "timestamptz", "silenced_at": "timestamptz", "forgotten_at": "timestamptz",
}  # fmt: skip
STAGE = f"""CREATE TEMP TABLE stage ({", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())}, sources jsonb)"""
UNFOLD = f"""
CREATE TEMP TABLE worded AS SELECT stage.*, t.tsv,
    (SELECT coalesce(sum(cardinality(positions)), 0)::smallint FROM unnest(t.tsv)) AS n_tok
FROM stage CROSS JOIN LATERAL (
    SELECT to_tsvector('pg_catalog.english', concat_ws(': ', speaker, body)) AS tsv OFFSET 0) AS t;
INSERT INTO memory ({", ".join(COLUMNS)}, n_tok) SELECT {", ".join(COLUMNS)}, n_tok FROM worded ORDER BY subject_pk, id;
INSERT INTO memory_source (memory_id, source, ref, snippet, position, observed_at)
SELECT worded.id, s.source, s.ref, s.snippet, s.position, worded.occurred_at
FROM worded, jsonb_to_recordset(sources) AS s(source text, ref text, snippet text, position smallint);
INSERT INTO memory_token (subject_pk, lexeme, memory_id, tf, n_tok)
SELECT worded.subject_pk, t.lexeme, worded.id, cardinality(t.positions), worded.n_tok
FROM worded, unnest(worded.tsv) AS t WHERE status <> 'forgotten' ORDER BY 1, 2, 3;
DROP TABLE stage, worded
"""
_COUNT = """
INSERT INTO memory_subject (subject_pk, subject_id, version, count, next_sitting, revoked)
SELECT s.pk, s.id, 1, count(m.id) FILTER (WHERE m.status IN ('active', 'silenced')), coalesce(max(m.sitting), 0) + 1,
    s.revoked
FROM jsonb_to_recordset(%s::jsonb) AS s(pk uuid, id text, revoked text[])
LEFT JOIN memory m ON m.subject_pk = s.pk GROUP BY s.pk, s.id, s.revoked
"""


@dataclass(slots=True)
class Loaded:
    """What was given which identity: memories by their keys, subjects by their ids."""

    memories: dict[str, UUID] = field(default_factory=dict)
    subjects: dict[str, UUID] = field(default_factory=dict)

    @property
    def keys(self) -> dict[UUID, str]:
        return {memory_id: key for key, memory_id in self.memories.items()}


def load(
    cursor: Any, people: Sequence[Person], *, vectors: Mapping[str, Any] | None = None, model_id: str = "",
    fates: bool = True,
) -> Loaded:  # fmt: skip
    """Store these people's memories. ``cursor`` is psycopg's, in a transaction on the tenant's schema; ``vectors`` are
    the embeddings of ``Turn.words``. ``fates=False`` leaves out what somebody does to a memory (forget, silence,
    revoke), so that a test can do that itself."""
    now = datetime.now(UTC)
    loaded = Loaded(subjects={person.subject: ids.uuid7() for person in people})
    for person in people:
        for turn in person.turns:
            loaded.memories[turn.key] = _id(turn)
    create_subjects(cursor, loaded.subjects)
    cursor.execute(STAGE)
    with cursor.copy(f"COPY stage ({', '.join(COLUMNS)}, sources) FROM STDIN") as copy:
        for person in people:
            for row in _rows(person, loaded, now, fates=fates):
                copy.write_row([_plain(row[name]) for name in (*COLUMNS, "sources")])
    cursor.execute(UNFOLD)
    revoked = {person.subject: person.revoked if fates else () for person in people}
    count_subjects(cursor, loaded.subjects, revoked)
    if vectors is not None:
        embedded = [turn for person in people for turn in person.turns if not (fates and turn.fate == FORGOTTEN)]
        copy_vectors(
            cursor, model_id,
            ((loaded.memories[turn.key], loaded.subjects[turn.subject], vectors[turn.words]) for turn in embedded),
        )  # fmt: skip
    return loaded


def create_subjects(cursor: Any, subjects: Mapping[str, UUID]) -> None:
    with cursor.copy("COPY subject (id, subject_id, created_at) FROM STDIN") as copy:
        for subject_id, pk in subjects.items():
            copy.write_row([pk, subject_id, datetime.now(UTC)])


def count_subjects(cursor: Any, subjects: Mapping[str, UUID], revoked: Mapping[str, Sequence[str]]) -> None:
    """The row that each subject with memories has, its counters taken from what was stored."""
    listed = [{"pk": str(pk), "id": name, "revoked": list(revoked.get(name, ()))} for name, pk in subjects.items()]
    cursor.execute(_COUNT, [json.dumps(listed)])


def copy_vectors(cursor: Any, model_id: str, vectors: Iterable[tuple[UUID, UUID, Any]]) -> None:
    """Embeddings of (memory, subject, numbers)."""
    with cursor.copy("COPY memory_embedding (memory_id, subject_pk, model_id, emb) FROM STDIN") as copy:
        for memory_id, pk, vector in vectors:
            copy.write_row([memory_id, pk, model_id, vector_text(vector)])


def vector_text(vector: Any) -> str:
    return "[" + ",".join(f"{number:.6g}" for number in vector) + "]"


def new_memory(turn: Turn) -> NewMemory:
    """The turn as a caller of the API states it."""
    return NewMemory(
        turn.text, Provenance(turn.source, turn.ref), type=turn.type, slot=turn.slot, value=turn.value,
        speaker=turn.speaker, thread_id=turn.thread_id, occurred_at=turn.occurred_at, scope=turn.scope,
        confidence=turn.confidence,
    )  # fmt: skip


def _id(turn: Turn) -> UUID:
    """A UUIDv7 of the moment it was recorded; the same for the same turn."""
    return ids.uuid7_at(int(turn.recorded_at.timestamp() * 1000), random.Random(turn.key).getrandbits(80))


def _rows(person: Person, loaded: Loaded, now: datetime, *, fates: bool) -> list[dict[str, Any]]:
    made = []
    for turn in person.turns:
        draft = check(new_memory(turn), now)
        row = rows.row_of(loaded.subjects[turn.subject], draft, now=turn.recorded_at, created_by="key_bench")
        row |= {
            "id": loaded.memories[turn.key], "content_hash": draft.content_hash, "forgotten_at": None,
            "value": None if draft.value is None else json.dumps(draft.value), "sources": json.dumps(row["sources"]),
            "superseded_by_id": None, "expires_at": turn.expires_at,
        }  # fmt: skip
        if turn.fate == SUPERSEDED:
            row |= {
                "status": "superseded", "valid_to": turn.valid_to, "retired_at": turn.retired_at,
                "superseded_by_id": loaded.memories[turn.superseded_by or ""],
            }  # fmt: skip
        elif fates and turn.fate == FORGOTTEN:
            row |= {"status": "forgotten", "forgotten_at": now, "retired_at": now}
        elif fates and turn.fate == SILENCED:
            row |= {"status": "silenced", "silenced_at": now}
        elif turn.fate == EXPIRED:
            row["expires_at"] = turn.expires_at
        made.append(row)
    _seat(made)
    return made


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _seat(made: list[dict[str, Any]]) -> None:
    """Sittings as the product gives them: one thread without a gap of an hour, numbered anew for each subject."""
    threads: dict[str, list[dict[str, Any]]] = defaultdict(list)
    following = 1
    for row in made:
        if row["thread_id"] is None:
            row["sitting"], following = following, following + 1
        else:
            threads[row["thread_id"]].append(row)
    for members in threads.values():
        seats, following = sittings.assign([row["occurred_at"] for row in members], [], following)
        for row, seat in zip(members, seats, strict=True):
            row["sitting"] = seat
