"""The store is emptied in the middle of everything: a hard budget still is one."""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connections

from gateway.core.valkey import Valkey
from gateway.platform.admission import services as admission
from gateway.platform.admission.errors import BudgetUnknown, OverBudget
from gateway.platform.admission.keys import of_org
from gateway.platform.admission.leases import LeaseKeeper
from gateway.platform.admission.limits import Kind, Level, Limit
from gateway.platform.admission.types import LeaseDraft, RateLimit
from gateway.platform.ledger import services
from tests.platform.ledger.conftest import connect
from tests.platform.support import ACME, GLOBEX, KEY, a_request, a_settlement, run

BUDGET = 10_000_000
CALLERS = 200
LIMITS = [
    Limit("lim_hard", Level.ORGANIZATION, Kind.BUDGET, BUDGET, "month"),
    Limit("key", Level.KEY, Kind.BUDGET, BUDGET, "day", f"k{KEY}"),
]


def dollars(micros: int) -> Any:
    return a_settlement(provider_cost_micros=micros, markup_micros=0, charged_micros=micros)


def request(estimate: int, org: Any = ACME, limits: Any = LIMITS) -> Any:
    draft = LeaseDraft(60, estimate, {"surface": "v1", "model": "m"})
    return a_request(org, rate=RateLimit(1_000_000, 1), limits=limits, lease=draft)


@pytest.mark.outage
def test_flush__nine_of_ten_dollars_spent_and_two_hundred_callers__ten_are_never_exceeded(  # noqa: C901 - one story
    url: str, stack: Any, client: Any, databases: Any
) -> None:
    def of_its_own() -> None:
        connections["batch"] = connect(stack, "batch", "ikiro_batch")

    thread = ThreadPoolExecutor(1, initializer=of_its_own)
    keeper, dice = LeaseKeeper(), random.Random(9)
    refused: set[str] = set()

    def written(org_id: Any, records: Any) -> None:
        """The organization's own records are not asked for here."""

    def a_round() -> None:
        services.reseed(client, connections["batch"])
        services.drain(client, connections["batch"], written)

    async def scheduler(thread: Executor) -> None:
        while True:
            await asyncio.get_running_loop().run_in_executor(thread, a_round)
            await asyncio.sleep(0.1)

    async def call(store: Valkey, ends: float) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < ends:
            estimate = dice.randint(1_000, 40_000)
            try:
                lease = (await admission.admit(store, request(estimate), keeper=keeper)).lease
            except (OverBudget, BudgetUnknown) as error:
                refused.add(error.code)
                await asyncio.sleep(0.2)
                continue
            await asyncio.sleep(dice.uniform(0.1, 1.5))
            assert lease is not None
            await admission.settle(store, lease, dollars(dice.randint(0, estimate)), keeper=keeper)

    async def work(store: Valkey) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(thread, a_round)
        for _ in range(9):
            lease = (await admission.admit(store, request(1_000_000), keeper=keeper)).lease
            assert lease is not None
            await admission.settle(store, lease, dollars(1_000_000), keeper=keeper)
        await loop.run_in_executor(thread, a_round)
        background = [loop.create_task(keeper.run(store)), loop.create_task(scheduler(thread))]
        ends = loop.time() + 12
        callers = [loop.create_task(call(store, ends)) for _ in range(CALLERS)]
        await asyncio.sleep(0.3)
        assert len(keeper) > 0
        client.flushall()
        with pytest.raises(BudgetUnknown):
            await admission.admit(store, request(1), keeper=keeper)
        # Without a hard budget nobody waits.
        free = await admission.admit(store, request(1, GLOBEX, []), keeper=keeper)
        assert free.lease is not None
        await admission.settle(store, free.lease, dollars(0), keeper=keeper)
        await asyncio.gather(*callers)
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await loop.run_in_executor(thread, a_round)
        await loop.run_in_executor(thread, lambda: connections["batch"].close())

    run(url, work, timeout_s=30)
    thread.shutdown()
    assert refused >= {"budget_unknown", "budget_exceeded"}
    with databases["owner"].cursor() as cursor:
        cursor.execute("SELECT sum(charged_micros)::bigint FROM public.ledger_entry WHERE org_id = %s", [str(ACME)])
        [total] = cursor.fetchone()
    assert BUDGET - 100_000 < total <= BUDGET
    names = ("spend", "seed_spend", "held")
    for window in (f"{datetime.now(UTC):%Y%m}", f"{datetime.now(UTC):%Y%m%d}"):
        for holder in ("o", f"k{KEY}"):
            spend, seed, held = (int(n or 0) for n in client.hmget(of_org(ACME).use(window, holder), names))
            assert (spend + seed, held) == (total, 0)
