"""Limiter, quota, leases and settlement of two organizations against a small model of what they should do."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from gateway.core.valkey import Valkey, sync_client
from gateway.platform.admission import services
from gateway.platform.admission.errors import QuotaExceeded, RateLimited
from gateway.platform.admission.keys import of_org
from gateway.platform.admission.leases import LeaseKeeper
from gateway.platform.admission.types import RateLimit, Settled
from tests.platform.support import ACME, GLOBEX, a_request, a_settlement

ORGS = (ACME, GLOBEX)
# One step is 1,000 s, so the real time that a run takes refills nothing.
STEP_S = 1000
RATE = RateLimit(4, 4 * STEP_S)
QUOTA = 7


class Book:
    """What one organization should have."""

    def __init__(self) -> None:
        self.level = Fraction(0)  # steps until the bucket is full again
        self.calls = 0
        self.spend = 0
        self.open: dict[UUID, Any] = {}
        self.closed: list[Any] = []
        self.reaped: list[Any] = []
        self.entries = {"settled": 0, "estimated": 0, "late": 0}


def machine(url: str) -> type[RuleBasedStateMachine]:  # noqa: C901 - one method per thing that can happen
    class Admission(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.client = sync_client(url)
            self.client.flushdb()
            self.runner = asyncio.Runner()
            self.store = self.runner.run(self._connect())
            self.keeper = LeaseKeeper()
            self.books = {org: Book() for org in ORGS}

        async def _connect(self) -> Valkey:
            return Valkey(url)

        def teardown(self) -> None:
            self.runner.run(self.store.close())
            self.runner.close()
            self.client.close()

        @rule(org=st.sampled_from(ORGS), counts=st.booleans(), leased=st.booleans())
        def admit(self, org: UUID, counts: bool, leased: bool) -> None:
            book = self.books[org]
            request = a_request(org, rate=RATE, quota=QUOTA, counts_as_call=counts)
            if not leased:
                request = a_request(org, rate=RATE, quota=QUOTA, counts_as_call=counts, lease=None)
            work = services.admit(self.store, request, keeper=self.keeper)
            if counts and book.calls >= QUOTA:
                with pytest.raises(QuotaExceeded):
                    self.runner.run(work)
                return
            if book.level + 1 > RATE.limit:
                with pytest.raises(RateLimited) as caught:
                    self.runner.run(work)
                wait = (book.level + 1 - RATE.limit) * STEP_S
                assert wait - 60 < (caught.value.retry_after or 0) <= wait
                return
            admission = self.runner.run(work)
            book.level += 1
            book.calls += counts
            assert admission.rate_remaining == math.floor(RATE.limit - book.level)
            assert admission.quota_used == book.calls
            if leased:
                book.open[request.request_id] = admission.lease

        @rule(org=st.sampled_from(ORGS), halves=st.integers(1, 9))
        def time_passes(self, org: UUID, halves: int) -> None:
            """Moving the bucket back in time is what the passing of time looks like to it."""
            book, key = self.books[org], of_org(org).rate
            tat = self.client.get(key)
            if isinstance(tat, bytes):
                self.client.set(key, int(tat) - halves * STEP_S * 500_000, keepttl=True)
            book.level = max(Fraction(0), book.level - Fraction(halves, 2))

        @precondition(lambda self: any(book.open for book in self.books.values()))
        @rule(data=st.data(), price=st.integers(0, 5000), refund=st.booleans())
        def settle(self, data: st.DataObject, price: int, refund: bool) -> None:
            org = data.draw(st.sampled_from([org for org in ORGS if self.books[org].open]))
            book = self.books[org]
            lease = book.open.pop(data.draw(st.sampled_from(sorted(book.open))))
            settlement = a_settlement(
                provider_cost_micros=price, markup_micros=0, charged_micros=price, counts_as_call=not refund
            )
            assert self._settle(lease, settlement) is Settled.SETTLED
            book.calls -= refund and lease.counts_as_call
            book.spend += price
            book.entries["settled"] += 1
            book.closed.append(lease)

        @precondition(lambda self: any(book.closed for book in self.books.values()))
        @rule(data=st.data())
        def settle_again(self, data: st.DataObject) -> None:
            book = data.draw(st.sampled_from([book for book in self.books.values() if book.closed]))
            assert self._settle(data.draw(st.sampled_from(book.closed)), a_settlement()) is Settled.ALREADY

        @precondition(lambda self: any(book.reaped for book in self.books.values()))
        @rule(data=st.data())
        def settle_late(self, data: st.DataObject) -> None:
            book = data.draw(st.sampled_from([book for book in self.books.values() if book.reaped]))
            lease = book.reaped.pop()
            cheap = a_settlement(provider_cost_micros=10, markup_micros=0, charged_micros=10)
            assert self._settle(lease, cheap) is Settled.LATE
            book.spend += 10 - lease.estimate_micros
            book.entries["late"] += 1
            book.closed.append(lease)

        @precondition(lambda self: any(book.open for book in self.books.values()))
        @rule(data=st.data())
        def worker_dies(self, data: st.DataObject) -> None:
            org = data.draw(st.sampled_from([org for org in ORGS if self.books[org].open]))
            book = self.books[org]
            lease = book.open.pop(data.draw(st.sampled_from(sorted(book.open))))
            self.client.zadd(of_org(org).leases, {str(lease.request_id): 1})
            assert services.reap(self.client).leases == 1
            book.spend += lease.estimate_micros
            book.entries["estimated"] += 1
            book.reaped.append(lease)

        def _settle(self, lease: Any, settlement: Any) -> Settled:
            return self.runner.run(services.settle(self.store, lease, settlement, keeper=self.keeper))

        @invariant()
        def store_agrees(self) -> None:
            month = f"{datetime.now(UTC):%Y%m}"
            for org, book in self.books.items():
                keys = of_org(org)
                raw = self.client.hmget(keys.month + month, "calls", "spend")
                calls, spend = (int(value or 0) for value in raw)
                assert (calls, spend) == (book.calls, book.spend)
                facts = self.client.hgetall(keys.lease)
                mine = {UUID(name.decode()) for name, value in facts.items() if str(org).encode() in value}
                assert mine == set(book.open)
                assert {UUID(name.decode()) for name in self.client.zrange(keys.leases, 0, -1)} >= mine
                stream = [
                    fields for _, fields in self.client.xrange(keys.usage) if str(org).encode() in fields[b"data"]
                ]
                for kind, expected in book.entries.items():
                    assert sum(fields[b"kind"] == kind.encode() for fields in stream) == expected

    return Admission


def test_admission__any_sequence_of_calls__agrees_with_the_model(url: str) -> None:
    run_state_machine_as_test(
        machine(url),
        settings=settings(
            max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
