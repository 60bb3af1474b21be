"""Memory operations of the month: included, billed beyond the plan, or refused there."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.core import ids
from gateway.core.valkey import StoreUnavailable, Valkey
from gateway.platform.admission import services
from gateway.platform.admission.errors import BudgetUnknown, OverBudget
from gateway.platform.admission.keys import of_org
from gateway.platform.admission.limits import Kind, Level, Limit
from gateway.platform.admission.replay import JournalReplayer
from gateway.platform.admission.types import Payers
from tests.platform.support import ACME, GLOBEX, KEY, run

MONTH = f"{datetime.now(UTC):%Y%m}"


def who() -> dict[str, Any]:
    return {"request_id": ids.uuid7(), "key_id": KEY, "user_id": None, "subject_id": "ann"}


def count(store: Valkey, operations: int, **options: Any) -> Any:
    return services.count_memory(store, ACME, operations, **{"overage_micros": 1_000, "who": who(), **options})


def budget(micros: int, holder: str = "o", level: Level = Level.ORGANIZATION, **changes: Any) -> Limit:
    return replace(Limit(f"lim_{level}", level, Kind.BUDGET, micros, "month", holder), **changes)


def believed(client: Any) -> None:
    """Say that the counters of acme's shard are known."""
    client.set(f"{of_org(ACME).base}seeded", "0|0")


def spent(client: Any, holder: str = "o") -> int:
    return int(client.hget(of_org(ACME).use(MONTH, holder), "spend") or 0)


def entries(client: Any, org: Any = ACME) -> list[dict[str, Any]]:
    found = [
        json.loads(fields[b"data"]) for _, fields in client.xrange(of_org(org).usage) if fields[b"kind"] == b"memory"
    ]
    return [entry for entry in found if entry["org_id"] == str(org)]


def test_count_memory__beyond_the_plan__bills_only_what_is_beyond(url: str, client: Any) -> None:
    async def work(store: Valkey) -> list[Any]:
        return [await count(store, n, included=10, payers=Payers(f"o,k{KEY}")) for n in (8, 1, 3, 2)]

    counted = run(url, work)
    assert [(one.used, one.overage_micros) for one in counted] == [(8, 0), (9, 0), (12, 2_000), (14, 2_000)]
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
    async def work(store: Valkey) -> Any:
        return await count(store, 5_000, included=None, overage_micros=overage, payers=Payers("o", [budget(0)]))

    assert run(url, work).used == 5_000
    assert [entry["overage_micros"] for entry in entries(client)] == [0]


def test_count_memory__hard_budget__lets_in_what_it_covers_and_not_one_more(url: str, client: Any) -> None:
    believed(client)
    payers = Payers(f"o,k{KEY}", [budget(100_000), budget(5_500, f"k{KEY}", Level.KEY)])

    async def work(store: Valkey) -> list[Any]:
        asked = (count(store, 1, included=2, payers=payers) for _ in range(30))
        return await asyncio.gather(*asked, return_exceptions=True)

    outcomes = run(url, work)
    refused = [one for one in outcomes if isinstance(one, OverBudget)]
    assert (len(outcomes) - len(refused), len(refused)) == (7, 23)  # two included, five thousandths of a dollar
    assert (refused[0].http_status, refused[0].code) == (402, "budget_exceeded")
    assert refused[0].extra["limit"]["scope"] == "key"
    assert refused[0].extra["limit"]["used"] == 5_000
    assert (spent(client), spent(client, f"k{KEY}"), len(entries(client))) == (5_000, 5_000, 7)
    assert client.hget(of_org(ACME).use(MONTH), "memory_ops") == b"7"


def test_count_memory__several_beyond_a_hard_budget__none_of_them_is_counted(url: str, client: Any) -> None:
    believed(client)
    client.hset(of_org(ACME).use(MONTH), mapping={"seed_spend": 1_000, "held": 500})
    payers = Payers("o", [budget(4_499)])

    async def work(store: Valkey) -> Any:
        with pytest.raises(OverBudget):
            await count(store, 13, included=10, payers=payers)
        assert entries(client) == []
        assert spent(client) == 0
        return await count(store, 12, included=10, payers=payers)

    assert run(url, work).overage_micros == 2_000


@pytest.mark.parametrize("soft", [{"hard": False}, {"shadow": True}])
def test_count_memory__budget_that_only_reports__lets_it_in_and_says_so(
    url: str, client: Any, soft: dict[str, Any]
) -> None:
    payers = Payers("o", [budget(500, **soft)])

    async def work(store: Valkey) -> list[Any]:
        return [await count(store, 1, included=1, payers=payers) for _ in range(2)]

    included, beyond = run(url, work)
    assert "would_refuse" not in included.facts()
    (would,) = beyond.facts()["would_refuse"]
    assert (would["kind"], would["limit"], beyond.overage_micros) == ("budget", 500, 1_000)
    assert spent(client) == 1_000


def test_count_memory__batch_of_several_subjects__each_pays_for_its_own_beyond_the_plan(url: str, client: Any) -> None:
    believed(client)
    limits = [budget(2_000, one, Level.SUBJECT) for one in ("sann", "sbob")]
    shares = {"sann": 3, "sbob": 2}

    async def work(store: Valkey) -> None:
        await count(store, 5, included=2, payers=Payers("o", limits, shares))
        assert (spent(client, "sann"), spent(client, "sbob"), spent(client)) == (1_000, 2_000, 3_000)
        with pytest.raises(OverBudget) as refused:
            await count(store, 2, included=2, payers=Payers("o", limits, {"sann": 1, "sbob": 1}))
        assert (refused.value.extra["limit"]["scope"], refused.value.extra["limit"]["used"]) == ("subject", 2_000)

    run(url, work)
    assert (spent(client, "sann"), spent(client, "sbob"), spent(client)) == (1_000, 2_000, 3_000)
    assert len(entries(client)) == 1


def test_count_memory__after_the_store_was_emptied__waits_where_money_is_guarded_and_only_there(
    url: str, client: Any
) -> None:
    payers = Payers("o", [budget(10_000)])

    async def work(store: Valkey) -> None:
        assert (await count(store, 1, included=1, payers=payers)).overage_micros == 0
        with pytest.raises(BudgetUnknown) as refused:
            await count(store, 1, included=1, payers=payers)
        assert refused.value.http_status == 503
        assert (await count(store, 1, included=1)).overage_micros == 1_000

    run(url, work)
    assert spent(client) == 1_000


def test_count_memory__one_request_twice__counts_once(url: str, client: Any) -> None:
    same = who()

    async def work(store: Valkey) -> list[Any]:
        return [await count(store, 2, included=1, who=same) for _ in range(2)]

    assert [one.used for one in run(url, work)] == [2, 2]
    assert (spent(client), len(entries(client))) == (1_000, 1)


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
                await services.count_memory(store, ACME, 3, **billed, payers=Payers("o", [budget(10**9)]))
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
    (entry,) = entries(client)
    assert (entry["operations"], entry["overage_micros"]) == (3, 2_000)
    assert client.hget(of_org(GLOBEX).use(MONTH), "memory_ops") is None or not entries(client, GLOBEX)[1:]
