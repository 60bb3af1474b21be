"""A batch left to a worker: progress, the same result as at once, nothing twice after a crash."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.core import ids
from gateway.knowledge.memory import imports, services
from gateway.knowledge.memory.models import MemoryRow, SubjectState
from gateway.platform.operations.errors import Cancelled
from gateway.platform.operations.registry import find
from tenants.context import scope
from tests.knowledge.memory.support import ALICE, new, person


class Run:
    """An operation as its runner sees it; ``stop_at`` loses the worker, or cancels, once so many items are done."""

    def __init__(self, payload: dict[str, Any], *, stop_at: int | None = None, error: Exception | None = None) -> None:
        self.id, self.payload, self.done, self.total = ids.uuid7(), payload, 0, None
        self.checkpoint: dict[str, Any] | None = None
        self.stop_at, self.error, self.advanced = stop_at, error, []

    def advance(self, done: int, *, total: int | None = None, checkpoint: dict[str, Any] | None = None) -> None:
        if self.stop_at is not None and done >= self.stop_at:
            raise self.error or ConnectionError
        self.done, self.total, self.checkpoint = done, total, checkpoint
        self.advanced.append(done)


@pytest.fixture
def inside(acme):
    with scope(acme):
        yield acme


def _items(ann, count: int = 250) -> list[Any]:
    items = [(ann, new(f"fact number {n}", ref=str(n))) for n in range(count)]
    items[7] = (ann, new(""))
    return items


def test_import__whole_batch__stores_and_answers_like_a_batch_at_once(inside) -> None:
    ann, bob = person("ann"), person("bob")
    run = Run(imports.payload(_items(ann), actor=ALICE, limit_per_subject=None))
    result = imports.run(run)
    assert run.advanced == [100, 200, 250]
    assert [entry["index"] for entry in result["data"]] == list(range(250))
    assert result["data"][7]["error"]["errors"][0]["pointer"] == "#/items/7/text"
    assert MemoryRow.objects.filter(subject_pk=ann.pk).count() == 249
    at_once = [imports.as_wire(one) for one in services.create_many(_items(bob), actor=ALICE, limit_per_subject=None)]
    assert [set(entry) for entry in at_once] == [set(entry) for entry in result["data"]]


def test_import__worker_lost_after_a_write__is_taken_up_without_doubling(inside) -> None:
    ann = person("ann")
    run = Run(imports.payload(_items(ann), actor=ALICE, limit_per_subject=249), stop_at=200)
    with pytest.raises(ConnectionError):
        imports.run(run)
    assert (run.done, MemoryRow.objects.count()) == (100, 199)
    run.stop_at = None
    result = imports.run(run)
    assert MemoryRow.objects.count() == SubjectState.objects.get().count == 249
    assert [entry["index"] for entry in result["data"]] == list(range(250))
    assert sum("error" in entry for entry in result["data"]) == 1
    assert set(MemoryRow.objects.values_list("confidence", flat=True)) == {1.0}


def test_import__cancelled__keeps_what_is_done(inside) -> None:
    run = Run(imports.payload(_items(person()), actor=ALICE, limit_per_subject=None), stop_at=100, error=Cancelled())
    with pytest.raises(Cancelled):
        imports.run(run)
    assert MemoryRow.objects.count() == 99


def test_payload__every_field__survives_the_way_through_json(inside) -> None:
    import json

    at = datetime(2025, 1, 1, tzinfo=UTC)
    item = new(
        "x", source="gmail", ref="r", snippet="s", type="event", slot="a.b", value={"n": 1}, speaker="Ann",
        thread_id="t", occurred_at=at, valid_from=at, valid_to=datetime(2026, 1, 1, tzinfo=UTC), scope="shared",
        memory_scope="mail", confidence=0.5, persona_id="sage", proposal_id=ids.uuid7(),
    )  # fmt: skip
    ann = person("ann")
    payload = json.loads(json.dumps(imports.payload([(ann, item)], actor=ALICE, limit_per_subject=5)))
    subject, back = imports._item(payload["items"][0])
    assert ((subject.pk, subject.id), back) == ((ann.pk, "ann"), item)


def test_runner__after_start_up__is_registered() -> None:
    assert find("memory.import") is imports.run
