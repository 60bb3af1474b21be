"""While the store is away: known callers go on within what is in hand, nobody else, and nothing is lost or paid
twice."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.core.valkey import SHARDS, StoreUnavailable, Valkey
from gateway.platform.admission import bounded, services
from gateway.platform.admission.allowances import Allowances
from gateway.platform.admission.errors import OverBudget, RateLimited
from gateway.platform.admission.journal import Journal
from gateway.platform.admission.keys import of_org
from gateway.platform.admission.leases import LeaseKeeper
from gateway.platform.admission.limits import Kind, Level, Limit
from gateway.platform.admission.replay import JournalReplayer
from gateway.platform.admission.types import LeaseDraft, RateLimit, Settled
from gateway.platform.ledger.names import seeded
from tests.platform.support import ACME, GLOBEX, KEY, a_request, a_settlement, run

MONTH = f"{datetime.now(UTC):%Y%m}"
FAST = RateLimit(1000, 1)


@pytest.fixture
def away(desk: Any) -> Any:
    """A worker's own hand and rates beside its journal and keeper."""
    return {**desk, "hand": Allowances(), "rates": bounded.LocalRates()}


def hard(limit: int) -> list[Limit]:
    return [Limit("key", Level.KEY, Kind.BUDGET, limit, "month", f"k{KEY}")]


def believed(client: Any) -> None:
    client.mset({seeded(shard): "0|0" for shard in range(SHARDS)})


def used(client: Any, field: str, org: Any = ACME) -> int:
    return int(client.hget(of_org(org).use(MONTH), field) or 0)


async def let_in(store: Valkey, away: Any, count: int, org: Any = ACME, **changes: Any) -> list[Any]:
    """``count`` calls one after the other: what each led to."""
    outcomes: list[Any] = []
    for _ in range(count):
        try:
            outcomes.append(await bounded.admit(store, a_request(org, **changes), **away))
        except (StoreUnavailable, RateLimited) as error:
            outcomes.append(error)
    return outcomes


async def lend(store: Valkey, away: Any, org: Any = ACME, **changes: Any) -> None:
    """One call while the store is well, and what is taken in hand after it."""
    [admission] = await let_in(store, away, 1, org, **changes)
    settings = {name: away[name] for name in ("keeper", "journal")}
    await services.settle(store, admission.lease, a_settlement(), **settings)
    await away["hand"].measure(store)


async def answering(store: Valkey) -> None:
    """Wait until the store answers again."""
    async with asyncio.timeout(30):
        while True:
            try:
                await store.execute("PING")
                return
            except StoreUnavailable:
                await asyncio.sleep(0.05)


async def back(store: Valkey, away: Any) -> None:
    """Wait until the store answers again, and replay the journal."""
    async with asyncio.timeout(30):
        while True:
            try:
                await JournalReplayer(away["journal"]).replay(store)
                return
            except StoreUnavailable:
                await asyncio.sleep(0.1)


@pytest.mark.outage
def test_admit__store_stalled__calls_in_hand_go_on_and_are_counted_once_when_it_is_back(
    url: str, stack: Any, client: Any, away: Any
) -> None:
    async def work(store: Valkey) -> None:
        await lend(store, away, rate=FAST)
        stack.valkey.pause()
        try:
            admissions = await let_in(store, away, 30, rate=FAST)
            assert all(admission.lease.bounded for admission in admissions)
            assert all(admission.facts["bounded"] for admission in admissions)
            # On disk before the model is called: whoever takes the file over can account for it.
            assert len(away["journal"].path.read_bytes().splitlines()) >= 30
            for admission in admissions:
                outcome = await services.settle(
                    store, admission.lease, a_settlement(), keeper=away["keeper"], journal=away["journal"]
                )
                assert outcome is Settled.JOURNALED
            # Another organization was never seen here, so nothing is in hand for it.
            [refused] = await let_in(store, away, 1, GLOBEX, rate=FAST)
            assert (refused.http_status, refused.code) == (503, "store_unavailable")
            assert refused.retry_after
        finally:
            stack.valkey.resume()
        await back(store, away)

    run(url, work, timeout_s=0.1)
    assert client.hlen(of_org(ACME).lease) == 1  # what is lent
    assert used(client, "calls") == 31
    assert used(client, "spend") == 31 * 1200
    assert used(client, "held") == 0
    kinds = [fields[b"kind"] for _, fields in client.xrange(of_org(ACME).usage)]
    assert kinds == [b"settled"] * 31
    assert [json.loads(f[b"data"]).get("bounded") for _, f in client.xrange(of_org(ACME).usage)].count(True) == 30
    assert used(client, "calls", GLOBEX) == 0


@pytest.mark.outage
def test_admit__store_killed_and_hard_budget__goes_on_within_what_is_in_hand_then_503(
    url: str, stack: Any, client: Any, away: Any
) -> None:
    believed(client)
    budget = 1_000_000

    async def work(store: Valkey) -> None:
        await lend(store, away, rate=FAST, limits=hard(budget))
        in_hand = away["hand"].of(ACME, KEY).micros
        assert in_hand == (budget - 1200) // 50
        assert used(client, "lent") == in_hand
        stack.valkey.kill()
        outcomes = await let_in(store, away, 30, rate=FAST, limits=hard(budget))
        held = [one for one in outcomes if not isinstance(one, Exception)]
        assert len(held) == in_hand // 1200
        assert {(one.http_status, one.code) for one in outcomes[len(held) :]} == {(503, "store_unavailable")}
        # What costs less than was held for it is in hand again, so that more is not spent than was lent.
        cheap = a_settlement(provider_cost_micros=0, markup_micros=0, charged_micros=0)
        await services.settle(store, held[0].lease, cheap, keeper=away["keeper"], journal=away["journal"])
        bounded.settled(held[0].lease, 0, hand=away["hand"])
        [again] = await let_in(store, away, 1, rate=FAST, limits=hard(budget))
        assert again.lease.bounded
        stack.valkey.start()
        await back(store, away)

    run(url, work, timeout_s=0.1)
    assert used(client, "spend") == 1200
    assert used(client, "calls") == 1 + 17
    assert used(client, "held") == 16 * 1200


@pytest.mark.outage
def test_admit__three_workers_alone_and_their_reservations_lapsed__over_by_no_more_than_what_was_in_hand(
    url: str, stack: Any, client: Any, tmp_path: Any
) -> None:
    believed(client)
    budget = 1_000_000
    workers = [
        {
            "journal": Journal(tmp_path / "journal", f"w{number}"),
            "keeper": LeaseKeeper(),
            "hand": Allowances(),
            "rates": bounded.LocalRates(),
        }
        for number in range(3)
    ]

    async def settle(store: Valkey, worker: Any, admission: Any) -> None:
        desk = {name: worker[name] for name in ("keeper", "journal")}
        await services.settle(store, admission.lease, a_settlement(), **desk)
        bounded.settled(admission.lease, 1200, hand=worker["hand"])

    async def work(store: Valkey) -> int:
        for worker in workers:
            await lend(store, worker, rate=FAST, limits=hard(budget))
        in_hand = sum(worker["hand"].of(ACME, KEY).micros for worker in workers)
        stack.valkey.pause()
        try:
            for worker in workers:
                for admission in await let_in(store, worker, 40, rate=FAST, limits=hard(budget)):
                    if not isinstance(admission, Exception):
                        await settle(store, worker, admission)
        finally:
            stack.valkey.resume()
        await answering(store)
        # The worst case: what was reserved lapses and is spent by others before the journals are replayed.
        for worker in workers:
            client.zadd(of_org(ACME).leases, {str(worker["hand"].of(ACME, KEY).id): 1})
        services.reap(client)
        for _ in range(budget // 1200 + 1):
            try:
                admission = await services.admit(
                    store,
                    a_request(rate=FAST, limits=hard(budget)),
                    keeper=LeaseKeeper(),
                    journal=workers[0]["journal"],
                )
            except (OverBudget, RateLimited):
                continue
            await services.settle(store, admission.lease, a_settlement(), keeper=LeaseKeeper())
        for worker in workers:
            await back(store, worker)
        return in_hand

    in_hand = run(url, work, timeout_s=0.3)
    assert used(client, "held") == 0
    assert budget < used(client, "spend") <= budget + in_hand


@pytest.mark.outage
def test_admit__hard_budget_of_a_subject_or_a_token__is_503_at_once(
    url: str, stack: Any, client: Any, away: Any
) -> None:
    believed(client)
    mine = [Limit("lim_1", Level.SUBJECT, Kind.BUDGET, 10**9, "month", "sann")]

    async def work(store: Valkey) -> None:
        await lend(store, away, rate=FAST, limits=mine, holders=["sann"])
        stack.valkey.pause()
        try:
            [refused] = await let_in(store, away, 1, rate=FAST, limits=mine, holders=["sann"])
            [without] = await let_in(store, away, 1, rate=FAST)
        finally:
            stack.valkey.resume()
        assert (refused.http_status, refused.code) == (503, "store_unavailable")
        assert without.lease.bounded
        await back(store, away)

    run(url, work, timeout_s=0.1)


@pytest.mark.outage
def test_admit__store_stalled__the_rate_is_enforced_here(url: str, stack: Any, away: Any) -> None:
    rate = RateLimit(3, 3600)

    async def work(store: Valkey) -> None:
        await lend(store, away, rate=rate)
        stack.valkey.pause()
        try:
            outcomes = await let_in(store, away, 5, rate=rate)
            reads = await let_in(store, away, 2, rate=rate, lease=None, counts_as_call=False)
        finally:
            stack.valkey.resume()
        assert [isinstance(one, RateLimited) for one in outcomes] == [False] * 3 + [True] * 2
        assert all(isinstance(one, RateLimited) for one in reads)
        assert 1100 < outcomes[3].retry_after <= 1200
        assert away["hand"].of(ACME, KEY).used == 3
        await back(store, away)

    run(url, work, timeout_s=0.1)


@pytest.mark.outage
def test_admit__worker_dies_in_bounded_mode__its_call_becomes_an_estimated_entry(
    url: str, stack: Any, client: Any, away: Any, tmp_path: Any
) -> None:
    soon = LeaseDraft(expires_in_s=60, estimate_micros=1200, facts={"surface": "v1", "model": "m"})

    async def work(store: Valkey) -> None:
        await lend(store, away, rate=FAST)
        stack.valkey.pause()
        try:
            [admission] = await let_in(store, away, 1, rate=FAST, lease=soon)
        finally:
            stack.valkey.resume()
        away["journal"].close()  # the worker is gone, its file is not
        other = Journal(tmp_path / "journal", "other")
        await back(store, {**away, "journal": other})
        assert client.hexists(of_org(ACME).lease, str(admission.lease.request_id))
        client.zadd(of_org(ACME).leases, {str(admission.lease.request_id): 1})
        assert services.reap(client).leases == 1

    run(url, work, timeout_s=0.1)
    assert used(client, "spend") == 2400
    assert used(client, "held") == 0
    assert [fields[b"kind"] for _, fields in client.xrange(of_org(ACME).usage)] == [b"settled", b"estimated"]


def test_measure__quota_nearly_used_up__lends_nothing_and_the_last_call_is_let_in(
    url: str, client: Any, away: Any
) -> None:
    async def work(store: Valkey) -> None:
        await lend(store, away, rate=FAST, quota=100)
        assert away["hand"].of(ACME, KEY).calls == 1
        assert used(client, "lent_calls") == 1
        # 99 more; what is in hand never stands in the way of the last ones.
        await let_in(store, away, 99, rate=FAST, quota=100)
        assert used(client, "calls") == 100
        away["hand"].of(ACME, KEY).measured = 0
        await away["hand"].measure(store)
        assert used(client, "lent_calls") == 0
        assert away["hand"].of(ACME, KEY).calls == 0

    run(url, work)


def test_give_back__at_shutdown__nothing_stays_lent(url: str, client: Any, away: Any) -> None:
    believed(client)

    async def work(store: Valkey) -> None:
        await lend(store, away, rate=FAST, quota=1000, limits=hard(10_000_000))
        assert (used(client, "lent"), used(client, "lent_calls")) == ((10_000_000 - 1200) // 50, 19)
        await away["hand"].give_back(store)

    run(url, work)
    assert (used(client, "lent"), used(client, "lent_calls")) == (0, 0)
    assert client.hlen(of_org(ACME).lease) == 0


def test_reap__worker_with_something_in_hand_dies__it_goes_back_without_an_entry(
    url: str, client: Any, away: Any
) -> None:
    async def work(store: Valkey) -> None:
        await lend(store, away, rate=FAST, quota=1000)
        client.zadd(of_org(ACME).leases, {str(away["hand"].of(ACME, KEY).id): 1})
        assert services.reap(client).leases == 0

    run(url, work)
    assert used(client, "lent_calls") == 0
    assert len(client.xrange(of_org(ACME).usage)) == 1
