"""What is let in, what is refused, and that a refusal leaves nothing behind."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.core.valkey import StoreUnavailable, Valkey
from gateway.platform.admission import selectors, services
from gateway.platform.admission.errors import DuplicateRequest, OverBudget, RateLimited
from gateway.platform.admission.keys import of_org
from gateway.platform.admission.limits import of_calls, tightest, window_end
from gateway.platform.admission.scripts import ADMIT
from gateway.platform.admission.types import LeaseDraft, RateLimit
from tests.platform.support import ACME, GLOBEX, KEY, a_request, a_settlement, run


def everything(client: Any) -> dict[bytes, bytes]:
    return {key: client.dump(key) for key in client.keys("*")}


def left_of(admission: Any) -> int:
    return int(tightest(admission.states).left)


def used_of(admission: Any) -> int:
    return int(of_calls(admission.states).used)


def month() -> str:
    return f"{datetime.now(UTC):%Y%m}"


def test_admit__room_for_all__opens_the_lease_and_says_what_is_left(url: str, client: Any, desk: Any) -> None:
    request = a_request(rate=RateLimit(10, 60), quota=5)

    async def work(store: Valkey) -> Any:
        await services.admit(store, a_request(), **desk)
        sent = store.commands_sent
        admission = await services.admit(store, request, **desk)
        assert store.commands_sent - sent == 1
        return admission

    admission = run(url, work)
    nearest, calls = tightest(admission.states), of_calls(admission.states)
    assert (nearest.limit.limit, calls.limit.limit, calls.used, calls.left) == (10, 5, 2, 3)
    assert 0 < nearest.reset_s <= 60
    assert admission.lease.request_id == request.request_id
    assert admission.lease.month == f"{datetime.now(UTC):%Y%m}"
    assert admission.facts["limit"]["remaining"] == nearest.left
    assert len(desk["keeper"]) == 2
    keys = of_org(ACME)
    assert client.zcard(keys.leases) == client.hlen(keys.lease) == 2
    for holder in ("o", f"k{KEY}"):
        assert client.hget(keys.use(admission.lease.month, holder), "calls") == b"2"
        assert client.hget(keys.use(admission.lease.day, holder), "held") == b"2400"
    assert client.ttl(keys.use(admission.lease.month)) > 70 * 86400
    assert client.ttl(keys.use(admission.lease.day)) > 2 * 86400
    assert 0 < client.pttl(f"{keys.base}rate:{ACME}:o:plan") <= 60_000


def test_admit__over_the_rate__is_429_and_changes_nothing(url: str, client: Any, desk: Any) -> None:
    rate = RateLimit(3, 3600)

    async def work(store: Valkey) -> None:
        left = [left_of(await services.admit(store, a_request(rate=rate), **desk)) for _ in range(3)]
        assert left == [2, 1, 0]
        before = everything(client)
        with pytest.raises(RateLimited) as caught:
            await services.admit(store, a_request(rate=rate), **desk)
        assert everything(client) == before
        assert len(desk["keeper"]) == 3
        error = caught.value
        assert (error.http_status, error.code) == (429, "rate_limited")
        assert 1199 < (error.retry_after or 0) <= 1200
        assert error.extra["limit"]["limit"] == 3
        assert error.extra["limit"]["remaining"] == 0
        await services.admit(store, a_request(GLOBEX, rate=rate), **desk)

    run(url, work)


def test_admit__a_retry_after_the_named_pause__is_let_in(url: str, desk: Any) -> None:
    rate = RateLimit(2, 1)

    async def work(store: Valkey) -> None:
        for _ in range(2):
            await services.admit(store, a_request(rate=rate), **desk)
        with pytest.raises(RateLimited) as caught:
            await services.admit(store, a_request(rate=rate), **desk)
        await asyncio.sleep(caught.value.retry_after or 0)
        await services.admit(store, a_request(rate=rate), **desk)

    run(url, work)


def test_admit__quota_used_up__is_402_and_changes_nothing(url: str, client: Any, desk: Any) -> None:
    async def work(store: Valkey) -> None:
        for _ in range(2):
            await services.admit(store, a_request(quota=2), **desk)
        before = everything(client)
        with pytest.raises(OverBudget) as caught:
            await services.admit(store, a_request(quota=2), **desk)
        assert everything(client) == before
        assert (caught.value.http_status, caught.value.code) == (402, "quota_exceeded")
        assert caught.value.extra["quota"]["used"] == 2
        assert used_of(await services.admit(store, a_request(GLOBEX, quota=2), **desk)) == 1
        free = a_request(counts_as_call=False, lease=None)
        admission = await services.admit(store, free, **desk)
        assert (used_of(admission), admission.lease) == (2, None)
        assert client.hget(of_org(ACME).use(month()), "calls") == b"2"

    run(url, work)


def test_admit__another_month_was_used_up__counts_from_nothing(url: str, client: Any, desk: Any) -> None:
    client.hset(of_org(ACME).use("202001"), "calls", 99)

    async def work(store: Valkey) -> int:
        return used_of(await services.admit(store, a_request(quota=2), **desk))

    assert run(url, work) == 1
    assert client.hget(of_org(ACME).use("202001"), "calls") == b"99"


def test_admit__two_hundred_at_once_for_fifty__lets_in_exactly_fifty(url: str, client: Any, desk: Any) -> None:
    async def work(store: Valkey) -> list[Any]:
        requests = [a_request(org, quota=50, rate=RateLimit(1000, 60)) for org in (ACME, GLOBEX) for _ in range(200)]
        return await asyncio.gather(
            *(services.admit(store, request, **desk) for request in requests), return_exceptions=True
        )

    outcomes = run(url, work)
    for half in (outcomes[:200], outcomes[200:]):
        assert sum(not isinstance(outcome, BaseException) for outcome in half) == 50
        assert sum(isinstance(outcome, OverBudget) for outcome in half) == 150
    assert client.hlen(of_org(ACME).lease) + client.hlen(of_org(GLOBEX).lease) == 100


def test_admit__same_request_id_while_open__is_a_conflict_and_changes_nothing(url: str, client: Any, desk: Any) -> None:
    request = a_request()

    async def work(store: Valkey) -> None:
        await services.admit(store, request, **desk)
        before = everything(client)
        with pytest.raises(DuplicateRequest):
            await services.admit(store, request, **desk)
        assert everything(client) == before

    run(url, work)


def test_admit__caller_gone_while_waiting__the_lease_and_the_call_are_given_back(
    url: str, client: Any, desk: Any
) -> None:
    async def work(store: Valkey) -> None:
        await store.ready()
        for _ in range(20):
            task = asyncio.ensure_future(services.admit(store, a_request(), **desk))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await store.execute("PING")

    run(url, work)
    keys = of_org(ACME)
    assert client.zcard(keys.leases) == client.hlen(keys.lease) == len(desk["keeper"]) == 0
    assert client.hget(keys.use(month()), "calls") == b"0"
    assert client.xlen(keys.usage) == 0
    assert services.reap(client).leases == 0


@pytest.mark.outage
def test_admit__store_too_slow__is_503_and_what_it_did_late_is_given_back(
    url: str, stack: Any, client: Any, desk: Any
) -> None:
    from gateway.platform.admission.replay import JournalReplayer

    async def work(store: Valkey) -> None:
        await services.admit(store, a_request(), **desk)
        stack.valkey.pause()
        try:
            outcomes = await asyncio.gather(
                *(services.admit(store, a_request(), **desk) for _ in range(5)), return_exceptions=True
            )
        finally:
            stack.valkey.resume()
        assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes)
        await asyncio.sleep(0.3)
        await JournalReplayer(desk["journal"]).replay(store)

    run(url, work, timeout_s=0.2)
    keys = of_org(ACME)
    assert client.hlen(keys.lease) == 1
    assert client.hget(keys.use(month()), "calls") == b"1"


@pytest.mark.outage
def test_admit__store_away__is_503_at_once_and_leaves_no_journal(url: str, stack: Any, desk: Any) -> None:
    async def work(store: Valkey) -> None:
        await services.admit(store, a_request(), **desk)
        stack.valkey.kill()
        await asyncio.sleep(0.05)
        for _ in range(10):
            with pytest.raises(StoreUnavailable) as caught:
                await services.admit(store, a_request(), **desk)
            assert (caught.value.http_status, caught.value.code) == (503, "store_unavailable")
        assert desk["journal"].size == 0
        stack.valkey.start()

    run(url, work)


def test_look__after_two_calls_and_a_settlement__shows_them_and_changes_nothing(
    url: str, client: Any, desk: Any
) -> None:
    rate = RateLimit(10, 600)

    async def work(store: Valkey) -> None:
        admission = await services.admit(store, a_request(rate=rate), **desk)
        await services.admit(store, a_request(rate=rate), **desk)
        await services.settle(store, admission.lease, a_settlement(), **desk)
        before = everything(client)
        view = await services.look(store, a_request(rate=rate, quota=100))
        assert everything(client) == before
        assert (left_of(view), used_of(view), of_calls(view.states).limit.limit) == (8, 2, 100)
        assert window_end("month", view.now) > view.now
        other = await services.look(store, a_request(GLOBEX, rate=rate))
        assert (left_of(other), used_of(other)) == (10, 0)

    run(url, work)


def test_lookup__open_then_settled_then_foreign__finds_only_ones_own(url: str, desk: Any) -> None:
    request = a_request()

    async def work(store: Valkey) -> None:
        assert await selectors.lookup(store, ACME, request.request_id) is None
        admission = await services.admit(store, request, **desk)
        opened = await selectors.lookup(store, ACME, request.request_id)
        assert opened is not None
        assert (opened["state"], opened["key_id"], opened["subject_id"]) == ("open", str(KEY), "ann")
        assert await selectors.lookup(store, GLOBEX, request.request_id) is None
        await services.settle(store, admission.lease, a_settlement(), **desk)
        settled = await selectors.lookup(store, ACME, request.request_id)
        assert settled is not None
        assert (settled["state"], settled["charged_micros"]) == ("settled", 1200)
        assert settled["record"] == {"auth": {"key": "k"}}
        assert await selectors.lookup(store, GLOBEX, request.request_id) is None

    run(url, work)


def test_calendar__first_and_last_second_of_every_month_for_sixty_years__names_the_utc_day(
    url: str, client: Any
) -> None:
    source = ADMIT.source.split("-- Lua would write")[0] + "return { calendar(tonumber(ARGV[1])) }"
    for year in range(2020, 2081):
        for number in range(1, 13):
            first = datetime(year, number, 1, tzinfo=UTC)
            for moment in (first, first - timedelta(seconds=1), first + timedelta(days=13)):
                named = [f"{moment:%Y%m}".encode(), f"{moment:%Y%m%d}".encode()]
                assert client.eval(source, 0, int(moment.timestamp())) == named
    assert window_end("month", datetime(2024, 12, 31, 23, tzinfo=UTC)) == datetime(2025, 1, 1, tzinfo=UTC)
    assert window_end("month", datetime(2025, 1, 31, tzinfo=UTC)) == datetime(2025, 2, 1, tzinfo=UTC)
    assert window_end("day", datetime(2024, 12, 31, 23, tzinfo=UTC)) == datetime(2025, 1, 1, tzinfo=UTC)


def test_admit__facts_that_are_too_large__is_an_error_before_anything_is_sent(url: str, desk: Any) -> None:
    request = a_request(lease=LeaseDraft(facts={"surface": "v1", "note": "x" * 5000}))

    async def work(store: Valkey) -> None:
        with pytest.raises(ValueError, match="bytes"):
            await services.admit(store, request, **desk)
        assert store.commands_sent == 0

    run(url, work)
