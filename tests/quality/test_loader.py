"""The bench's loader writes what ``POST /v1/memories`` writes: same columns, sources, postings, sittings, counters."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest

from tests.bench.memory.dataset import TUNING, Person, Turn
from tests.bench.memory.fill import fill
from tests.bench.memory.generate import generate
from tests.bench.memory.load import Loaded, load
from tests.harness import Gateway, Org

# What differs by its nature: identities, and when and by whom it was written.
_OWN = {"id", "subject_pk", "recorded_at", "created_by", "superseded_by_id", "previous_id"}
_MEMORY = "SELECT * FROM memory WHERE subject_pk = %s ORDER BY occurred_at, body"
_SOURCE = """SELECT m.body, s.source, s.ref, s.snippet, s.position, s.observed_at FROM memory_source s
JOIN memory m ON m.id = s.memory_id WHERE m.subject_pk = %s ORDER BY m.occurred_at, 1, 2, 3"""
_TOKEN = """SELECT m.body, t.lexeme, t.tf, t.n_tok FROM memory_token t JOIN memory m ON m.id = t.memory_id
WHERE t.subject_pk = %s ORDER BY m.occurred_at, 1, 2"""
_COUNTS = "SELECT count, revoked FROM memory_subject WHERE subject_pk = %s"


@pytest.fixture
def tenant(gateway: Gateway) -> Any:
    """A connection in acme's schema; whatever the loader wrote is rolled back."""
    with psycopg.connect(gateway.env["IKIRO_DATABASE_URL"]) as connection:
        found = connection.execute("SELECT schema_name FROM tenants_organization WHERE slug = 'acme'").fetchone()
        assert found is not None
        connection.execute(f'SET search_path = "{found[0]}", public')
        yield connection
        connection.rollback()


def _sample() -> Person:
    """The first sixty memories of somebody that nothing was done to, under a name of their own."""
    person = generate(TUNING[0], subjects=1).people[0]
    person.subject = f"usr_loader_{uuid.uuid4().hex[:12]}"
    kept = {turn.speaker: turn for turn in person.turns if not turn.fate}
    assert len(kept) > 3
    person.turns = [turn for turn in person.turns if not turn.fate][:60]
    for turn in person.turns:
        turn.subject = person.subject
    return person


def _post(org: Org, person: Person, subject: str) -> None:
    with org.client() as client:
        answer = client.post("/v1/memories", json={"items": [_item(turn, subject) for turn in person.turns]})
    assert answer.status_code == 201, answer.text
    assert [one for one in answer.json()["data"] if one.get("error")] == []


def _item(turn: Turn, subject: str) -> dict[str, Any]:
    item = {
        "subject_id": subject, "text": turn.text, "type": turn.type, "slot": turn.slot, "value": turn.value,
        "speaker": turn.speaker, "thread_id": turn.thread_id, "occurred_at": turn.occurred_at.isoformat(),
        "provenance": {"source": turn.source, "ref": turn.ref},
    }  # fmt: skip
    return {name: value for name, value in item.items() if value is not None}


def _rows(connection: Any, statement: str, pk: Any) -> list[dict[str, Any]]:
    cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
    return [{name: value for name, value in row.items() if name not in _OWN} for row in cursor.execute(statement, [pk])]


def _sittings(rows: list[dict[str, Any]]) -> set[frozenset[str]]:
    """Which memories share a sitting: the numbers themselves are in the order of writing."""
    shared: dict[int, set[str]] = {}
    for row in rows:
        shared.setdefault(row.pop("sitting"), set()).add(f"{row['speaker']}: {row['body']}")
    return {frozenset(bodies) for bodies in shared.values()}


def test_load__the_same_memories_posted__are_the_same_rows(gateway, tenant) -> None:
    person = _sample()
    posted = f"{person.subject}_posted"
    _post(gateway.acme, person, posted)
    loaded = load(tenant.cursor(), [person])
    ours = loaded.subjects[person.subject]
    (theirs,) = tenant.execute("SELECT id FROM subject WHERE subject_id = %s", [posted]).fetchone()
    first, second = _rows(tenant, _MEMORY, ours), _rows(tenant, _MEMORY, theirs)
    assert len(first) == len(person.turns)
    assert _sittings(first) == _sittings(second)
    assert first == second
    for statement in (_SOURCE, _TOKEN, _COUNTS):
        rows = _rows(tenant, statement, ours)
        assert rows
        assert rows == _rows(tenant, statement, theirs)


def test_fill__copies__hold_the_same_words_and_meanings_and_are_nobody_elses(gateway, tenant) -> None:
    person = _sample()
    vectors = {turn.words: [0.6, 0.8] for turn in person.turns}
    loaded: Loaded = load(tenant.cursor(), [person], vectors=vectors, model_id="bench/two")
    pool = loaded.subjects[person.subject]
    before = tenant.execute("SELECT count(*) FROM memory").fetchone()[0]
    made = fill(tenant.cursor(), pool, len(person.turns), 12)
    assert made == 12 * len(person.turns)
    assert tenant.execute("SELECT count(*) FROM memory").fetchone()[0] == before + made
    copies = tenant.execute("SELECT id FROM subject WHERE subject_id LIKE 'usr_other_%%' ORDER BY 1").fetchall()
    assert len(copies) == 12
    for (copy,) in (copies[0], copies[-1]):
        for statement in (_MEMORY, _SOURCE, _TOKEN, _COUNTS):
            assert _rows(tenant, statement, copy) == _rows(tenant, statement, pool)
    embedded = tenant.execute("SELECT count(*) FROM memory_embedding WHERE model_id = 'bench/two'").fetchone()[0]
    assert embedded == made + len(person.turns)
    with gateway.globex.client() as client:
        answer = client.post("/v1/memories/recall", json={"subject_id": person.subject, "query": "course"})
    assert answer.json()["data"] == []
