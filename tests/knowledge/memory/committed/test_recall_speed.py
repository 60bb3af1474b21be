"""Recall must not depend on the planner knowing how much a subject has: right after an import it never does."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from django.db import connection, connections

from gateway.knowledge.memory import recall as module
from gateway.knowledge.memory import recall_statement, services
from gateway.knowledge.subjects.types import SubjectRef
from tenants.context import scope
from tenants.types import OrgRef
from tests.knowledge.memory.support import ALICE, ask, new, person
from tests.knowledge.memory.vectors import MODEL, meaning

TABLES = ("memory", "memory_token", "memory_source", "memory_subject", "memory_embedding")
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)


def test_recall__ten_times_more_than_the_statistics_know__stays_fast(acme: OrgRef, globex: OrgRef, monkeypatch) -> None:
    ann, bob = person("ann"), person("bob")
    with scope(acme):
        services.create_many([(bob, new(f"tea {n}")) for n in range(500)], actor=ALICE, limit_per_subject=None)
        _embed_all(bob)
        with connections["owner"].cursor() as cursor:
            for table in TABLES:
                cursor.execute(f'ANALYZE "{acme.schema}".{table}')
        for start in range(0, 6_000, 1_000):
            _import(ann, start)
        _embed_all(ann)
        for exact_up_to in (recall_statement.EXACT_UP_TO, 5_000):  # all embeddings compared, and a bounded set
            monkeypatch.setattr(recall_statement, "EXACT_UP_TO", exact_up_to)
            for asked in (None, meaning(1, 0, 0)):
                began = time.perf_counter()
                assert len(ask(ann, "tea cake cup green", k=100, meaning=asked).memories) == 100
                # Some 50 ms; a shape that joins large tables did not come back (ADR-0022).
                assert time.perf_counter() - began < 3
            module._cache.clear()
    with scope(globex):
        assert ask(ann, "tea cake cup green", meaning=meaning(1, 0, 0)).memories == ()


def _import(subject: SubjectRef, start: int) -> None:
    """A thousand memories in talks of ten turns."""
    items = [
        (
            subject,
            new(
                f"green tea and cake, cup {n}", thread_id=f"thread {n // 10}", speaker="Ann" if n % 2 else "Bob",
                occurred_at=BEGIN + timedelta(minutes=n),
            ),
        )
        for n in range(start, start + 1_000)
    ]  # fmt: skip
    services.create_many(items, actor=ALICE, limit_per_subject=None)


def _embed_all(subject: SubjectRef) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO memory_embedding (memory_id, model_id, subject_pk, emb)
               SELECT id, %s, subject_pk, format('[%%s,%%s,1]', random(), random())::vector
               FROM memory WHERE subject_pk = %s ON CONFLICT DO NOTHING""",
            [MODEL, subject.pk],
        )


def test_create_many__full_batch__is_stored_at_200_a_second_or_faster(acme: OrgRef) -> None:
    ann = person("ann")
    text = "On Sunday she went to the market in {n} and bought apples, bread and a large jar of honey for her mother"
    with scope(acme):
        began = time.perf_counter()
        items = [(ann, new(text.format(n=n))) for n in range(1_000)]
        results = services.create_many(items, actor=ALICE, limit_per_subject=None)
        assert all(result.id for result in results)
        assert time.perf_counter() - began < 5
