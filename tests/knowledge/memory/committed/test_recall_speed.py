"""Recall must not depend on the planner knowing how much a subject has: right after an import it never does."""

from __future__ import annotations

import time

from django.db import connections

from gateway.knowledge.memory import services
from tenants.context import scope
from tenants.types import OrgRef
from tests.knowledge.memory.support import ALICE, ask, new, person

TABLES = ("memory", "memory_token", "memory_source", "memory_subject")


def test_recall__ten_times_more_than_the_statistics_know__stays_fast(acme: OrgRef) -> None:
    ann, bob = person("ann"), person("bob")
    with scope(acme):
        services.create_many([(bob, new(f"tea {n}")) for n in range(500)], actor=ALICE, limit_per_subject=None)
        with connections["owner"].cursor() as cursor:
            for table in TABLES:
                cursor.execute(f'ANALYZE "{acme.schema}".{table}')
        for start in range(0, 5_000, 1_000):
            items = [(ann, new(f"green tea and cake, cup {n}")) for n in range(start, start + 1_000)]
            services.create_many(items, actor=ALICE, limit_per_subject=None)
        began = time.perf_counter()
        assert len(ask(ann, "tea cake cup green", k=100).memories) == 100
        # Some 25 ms; a shape that joins large tables did not come back (ADR-0022).
        assert time.perf_counter() - began < 2


def test_create_many__full_batch__is_stored_at_200_a_second_or_faster(acme: OrgRef) -> None:
    ann = person("ann")
    text = "On Sunday she went to the market in {n} and bought apples, bread and a large jar of honey for her mother"
    with scope(acme):
        began = time.perf_counter()
        items = [(ann, new(text.format(n=n))) for n in range(1_000)]
        results = services.create_many(items, actor=ALICE, limit_per_subject=None)
        assert all(result.id for result in results)
        assert time.perf_counter() - began < 5
