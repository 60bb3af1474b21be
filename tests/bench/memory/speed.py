"""Speed over HTTP on one core: a thousand and ten thousand memories in the subject, a million in the tenant.

Every question is asked once, so that no answer comes from the cache; embedding the question is part of what is timed.
"""

from __future__ import annotations

import os
import time
from typing import Any

from tests.bench.memory import bound, metrics
from tests.bench.memory.ask import ask_all, embedded
from tests.bench.memory.dataset import Dataset, Question
from tests.bench.memory.fill import fill, settle
from tests.bench.memory.generate import generate
from tests.bench.memory.load import Loaded, load
from tests.bench.memory.product import Product
from tests.bench.memory.report import Report, note, percentile

TENANT, LARGE, SMALL = 1_000_000, 10_000, 1_000
FILL_MOST_S, TIMES, WARM = 180, 8, 40


def measure(product: Product, report: Report, seeds: list[int]) -> None:
    """Fill the tenant, then ask the large subject and the small one."""
    sets = [generate(seeds[0] + at, subjects=1, memories=count, times=TIMES) for at, count in ((1, LARGE), (2, SMALL))]
    vectors: dict[str, Any] = {}
    for data in sets:
        vectors |= embedded(data, product.embed)
    began = time.perf_counter()
    with product.tenant(product.gateway.acme) as cursor:
        loaded = [load(cursor, data.people, vectors=vectors, model_id=product.model_id) for data in sets]
        pool = loaded[0].subjects[sets[0].people[0].subject]
        memories = len(sets[0].turns)
        made = fill(cursor, pool, memories, (TENANT - memories) // memories) + sum(len(data.turns) for data in sets)
    took = time.perf_counter() - began
    print(f"speed: {made} memories in the tenant")
    report.expect(f"s to load {made} memories by COPY", took, most=FILL_MOST_S)
    with product.connect(product.gateway.acme) as connection:
        settle(connection)
    product.on_one_core()
    for data, known, p50, p95 in ((sets[0], loaded[0], 60, 120), (sets[1], loaded[1], None, 35)):
        _ask(product, report, data, known, p50, p95)
    bound.measure(product, sets[0], loaded[0], vectors)


def _ask(
    product: Product, report: Report, data: Dataset, loaded: Loaded, p50: float | None, p95: float
) -> None:  # fmt: skip
    count = len(data.turns)
    took: list[float] = []
    answer = product.answering(product.gateway.acme, took)
    ask_all([_again(one) for one in data.questions[:WARM]], answer, loaded.keys, k=10)
    took.clear()
    before = product.cpu_s()
    found = ask_all(data.questions, answer, loaded.keys, k=10)
    what = f"{count} memories in the subject, {len(took)} different questions, load {os.getloadavg()[0]:.1f}"
    note(f"{what}: p50 {percentile(took, 0.5):.1f} ms, p95 {percentile(took, 0.95):.1f} ms, "
         f"p99 {percentile(took, 0.99):.1f} ms; recall@10 {metrics.recall(data.questions, found):.1f}")  # fmt: skip
    note(f"CPU of everything that answers: {(product.cpu_s() - before) / len(took) * 1000:.1f} ms a question")
    if p50 is not None:
        report.expect(f"p50 ms at {count} memories", percentile(took, 0.5), most=p50)
    report.expect(f"p95 ms at {count} memories", percentile(took, 0.95), most=p95)


def _again(question: Question) -> Question:
    """Another wording, so that warming up fills no cache."""
    return Question(question.key, question.subject, f"Tell me: {question.text}", question.kind)
