"""Memory operations of the month: included, billed beyond the plan, or refused there."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.core import ids
from gateway.core.valkey import StoreUnavailable, Valkey
from gateway.platform.admission import services
from gateway.platform.admission.errors import OverBudget
from gateway.platform.admission.keys import of_org
from gateway.platform.admission.replay import JournalReplayer
from tests.platform.support import ACME, GLOBEX, KEY, run

MONTH = f"{datetime.now(UTC):%Y%m}"


def who() -> dict[str, Any]:
    return {"request_id": ids.uuid7(), "key_id": KEY, "user_id": None, "subject_id": "ann"}


def entries(client: Any, org: Any = ACME) -> list[dict[str, Any]]:
    found = [
        json.loads(fields[b"data"]) for _, fields in client.xrange(of_org(org).usage) if fields[b"kind"] == b"memory"
    ]
    return [entry for entry in found if entry["org_id"] == str(org)]


def test_count_memory__beyond_the_plan__bills_only_what_is_beyond(url: str, client: Any) -> None:
    async def work(store: Valkey) -> list[int | None]:
        count = [8, 1, 3, 2]
        return [
            await services.count_memory(
                store, ACME, n, included=10, overage_micros=1_000, who=who(), holders=f"o,k{KEY}"
            )
            for n in count
        ]

    assert run(url, work) == [8, 9, 12, 14]
    told = [(entry["operations"], entry["overage_micros"]) for entry in entries(client)]
    assert told == [(8, 0), (1, 0), (3, 2_000), (2, 2_000)]
    assert all(entry["subject_id"] == "ann" and "user_id" not in entry for entry in entries(client))
    assert entries(client, GLOBEX) == []
    for holder in ("o", f"k{KEY}"):
        assert client.hget(of_org(ACME).use(MONTH, holder), "spend") == b"4000"


def test_count_memory__plan_sells_none_beyond__402_and_nothing_changes(url: str, client: Any) -> None:
    client.hset(of_org(ACME).use(MONTH), "seed_memory_ops", 7)

    async def work(store: Valkey) -> list[Any]:
        asked = (services.count_memory(store, ACME, 1, included=10, overage_micros=None, who=who()) for _ in range(20))
        return await asyncio.gather(*asked, return_exceptions=True)

    outcomes = run(url, work)
    refused = [one for one in outcomes if isinstance(one, OverBudget)]
    assert (len(outcomes) - len(refused), len(refused)) == (3, 17)
    assert (refused[0].http_status, refused[0].code) == (402, "memory_operations_exceeded")
    assert refused[0].extra["quota"]["limit"] == 10
    assert len(entries(client)) == 3
    assert client.hget(of_org(ACME).use(MONTH), "memory_ops") == b"3"


@pytest.mark.parametrize("overage", [None, 1_000])
def test_count_memory__plan_without_a_limit__counts_and_bills_nothing(
    url: str, client: Any, overage: int | None
) -> None:
    async def work(store: Valkey) -> int | None:
        return await services.count_memory(store, ACME, 5_000, included=None, overage_micros=overage, who=who())

    assert run(url, work) == 5_000
    assert [entry["overage_micros"] for entry in entries(client)] == [0]


@pytest.mark.outage
def test_count_memory__store_away__is_counted_later_where_it_would_be_billed_and_503_where_it_may_be_refused(
    url: str, stack: Any, client: Any, desk: Any
) -> None:
    journal = desk["journal"]

    async def work(store: Valkey) -> None:
        await store.execute("PING")
        stack.valkey.pause()
        try:
            billed = {"included": 1, "overage_micros": 1_000, "who": who(), "journal": journal}
            assert await services.count_memory(store, ACME, 3, **billed) is None
            with pytest.raises(StoreUnavailable):
                await services.count_memory(store, GLOBEX, 1, included=1, overage_micros=None, who=who())
        finally:
            stack.valkey.resume()
        async with asyncio.timeout(30):
            while journal.size:
                with contextlib.suppress(StoreUnavailable):
                    await JournalReplayer(journal).replay(store)
                await asyncio.sleep(0.05)

    run(url, work, timeout_s=0.2)
    assert {entry["overage_micros"] for entry in entries(client)} <= {2_000, 3_000}
    assert {entry["request_id"] for entry in entries(client)} == {entries(client)[0]["request_id"]}
    assert client.hget(of_org(GLOBEX).use(MONTH), "memory_ops") is None or not entries(client, GLOBEX)[1:]
