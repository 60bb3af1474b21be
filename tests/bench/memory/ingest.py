"""Ingest: batches over ``POST /v1/memories``, one after another; embedding happens behind the answer."""

from __future__ import annotations

import time
from typing import Any

from tests.bench.memory.dataset import Turn
from tests.bench.memory.generate import generate
from tests.bench.memory.product import Product
from tests.bench.memory.report import Report, note

MEMORIES, BATCH = 5_000, 500


def measure(product: Product, report: Report, seeds: list[int]) -> None:
    """Seconds of the answers alone count; the embedder is stopped, so that it takes nothing."""
    data = generate(seeds[0] + 3, subjects=MEMORIES // 300 + 1)
    items = [_item(turn) for turn in data.turns[:MEMORIES]]
    product.embedder.stop()
    try:
        spent = 0.0
        with product.gateway.acme.client() as client:
            for start in range(0, len(items), BATCH):
                began = time.perf_counter()
                answer = client.post("/v1/memories", json={"items": items[start : start + BATCH]})
                spent += time.perf_counter() - began
                if answer.status_code != 201:
                    raise SystemExit(f"a batch answered {answer.status_code}: {answer.text[:500]}")
                refused = [one for one in answer.json()["data"] if one.get("error")]
                if refused:
                    raise SystemExit(f"an item was refused: {refused[0]}")
    finally:
        product.embedder.start().ready()
    print(f"ingest: {len(items)} memories in batches of {BATCH}")
    report.expect("memories a second without dense", len(items) / spent, least=200)
    note("dense: rows of memory_embedding are written by the worker, after the answer")


def _item(turn: Turn) -> dict[str, Any]:
    item = {
        "subject_id": turn.subject, "text": turn.text, "type": turn.type, "speaker": turn.speaker,
        "thread_id": turn.thread_id, "occurred_at": turn.occurred_at.isoformat(),
        "provenance": {"source": turn.source, "ref": turn.ref},
    }  # fmt: skip
    return {name: value for name, value in item.items() if value is not None}
