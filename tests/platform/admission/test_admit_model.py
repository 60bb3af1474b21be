"""Every kind of limit at several levels, leases and settlement of two organizations with two keys each, against a small
model of what they should do."""

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

from gateway.core.valkey import SHARDS, Valkey, sync_client
from gateway.platform.admission import services
from gateway.platform.admission.errors import OverBudget, RateLimited
from gateway.platform.admission.keys import of_org
from gateway.platform.admission.leases import LeaseKeeper
from gateway.platform.admission.limits import Kind, Level, Limit, applied
from gateway.platform.admission.types import LeaseDraft, RateLimit, Settled
from gateway.platform.ledger.names import seeded
from tests.platform.support import ACME, GLOBEX, a_request, a_settlement, plan_limits

ORGS = (ACME, GLOBEX)
KEYS = (UUID(int=1), UUID(int=2))
# One step is 1,000 s, so the real time that a run takes refills nothing.
STEP_S = 1000
RATE = RateLimit(6, 6 * STEP_S)
QUOTA = 14
TOKENS, TOKEN_WINDOW_S = 100, 4 * STEP_S
AT_ONCE = 3
HARD, SOFT = 12_000, 3_000


def limits_of(key: UUID) -> list[Limit]:
    holder = f"k{key}"
    return [
        *plan_limits(RATE, QUOTA),
        Limit("key", Level.KEY, Kind.REQUESTS, 4, 4 * STEP_S, holder),
        Limit("lim_tokens", Level.KEY, Kind.TOKENS, TOKENS, TOKEN_WINDOW_S, holder),
        Limit("lim_open", Level.KEY, Kind.CONCURRENCY, AT_ONCE, 0, holder),
        Limit("lim_hard", Level.KEY, Kind.BUDGET, HARD, "month", holder),
        Limit("lim_soft", Level.ORGANIZATION, Kind.BUDGET, SOFT, "day", hard=False),
        Limit("lim_shadow", Level.ORGANIZATION, Kind.REQUESTS, 2, 2 * STEP_S, shadow=True),
    ]


class Bucket:
    """``level`` units are used; ``per_step`` come back each step."""

    def __init__(self, size: int, window_s: int) -> None:
        self.size, self.level, self.per_step = size, Fraction(0), Fraction(size * STEP_S, window_s)

    def fits(self, cost: int) -> bool:
        return self.level + cost <= self.size

    def pass_time(self, steps: Fraction) -> None:
        self.level = max(Fraction(0), self.level - steps * self.per_step)


class OfKey:
    """What one key should have."""

    def __init__(self) -> None:
        self.rate = Bucket(4, 4 * STEP_S)
        self.tokens = Bucket(TOKENS, TOKEN_WINDOW_S)
        self.open = self.spend = self.held = self.calls = 0


class Book:
    """What one organization should have."""

    def __init__(self) -> None:
        self.rate, self.shadow = Bucket(RATE.limit, RATE.window_s), Bucket(2, 2 * STEP_S)
        self.keys = {key: OfKey() for key in KEYS}
        self.open: dict[UUID, tuple[Any, UUID]] = {}
        self.closed: list[Any] = []
        self.reaped: list[tuple[Any, UUID]] = []
        self.entries = {"settled": 0, "estimated": 0, "late": 0}

    def total(self, name: str) -> int:
        return sum(getattr(of_key, name) for of_key in self.keys.values())

    def refusing(self, key: UUID, estimate: int, tokens: int) -> set[str]:
        mine = self.keys[key]
        checks = {
            "calls": self.total("calls") < QUOTA,
            "lim_hard": mine.spend + mine.held + max(estimate, 1) <= HARD,
            "plan": self.rate.fits(1),
            "key": mine.rate.fits(1),
            "lim_tokens": mine.tokens.fits(tokens),
            "lim_open": mine.open < AT_ONCE,
        }
        return {name for name, fits in checks.items() if not fits}


def machine(url: str) -> type[RuleBasedStateMachine]:  # noqa: C901 - one method per thing that can happen
    class Admission(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.client = sync_client(url)
            self.client.flushdb()
            self.client.mset({seeded(shard): "0|0" for shard in range(SHARDS)})
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

        def everything(self) -> dict[bytes, bytes]:
            """Every key as it is stored; what ends while it is looked at is left out."""
            found = {name: self.client.dump(name) for name in self.client.keys("*")}
            return {name: stored for name, stored in found.items() if stored is not None}

        @rule(
            org=st.sampled_from(ORGS),
            key=st.sampled_from(KEYS),
            estimate=st.integers(0, 6000),
            tokens=st.integers(0, 120),
        )
        def admit(self, org: UUID, key: UUID, estimate: int, tokens: int) -> None:
            book, mine = self.books[org], self.books[org].keys[key]
            draft = LeaseDraft(expires_in_s=60, estimate_micros=estimate, tokens=tokens, facts={"surface": "v1"})
            request = a_request(org, key_id=key, applied=applied(limits_of(key), ["o", f"k{key}"]), lease=draft)
            refusing = book.refusing(key, estimate, tokens)
            before = self.everything() if refusing else None
            work = services.admit(self.store, request, keeper=self.keeper)
            if refusing:
                expected = OverBudget if refusing & {"calls", "lim_hard"} else RateLimited
                with pytest.raises(expected) as caught:
                    self.runner.run(work)
                named = caught.value.extra["limit"]
                assert ("calls" if named["kind"] == "calls" else named["id"]) in refusing
                assert before is not None
                after = self.everything()
                # Full buckets drain and end by themselves; a refusal takes nothing away.
                assert all(b"rate:" in name for name in before.keys() - after.keys())
                assert after == {name: stored for name, stored in before.items() if name in after}
                return
            admission = self.runner.run(work)
            by_id = {(state.limit.id, state.limit.kind): state for state in admission.states}
            over_soft = book.total("spend") + book.total("held") + max(estimate, 1) > SOFT
            over_shadow = not book.shadow.fits(1)
            book.rate.level += 1
            book.shadow.level += not over_shadow
            mine.rate.level += 1
            mine.tokens.level += tokens
            mine.open += 1
            mine.calls += 1
            mine.held += estimate
            assert by_id["plan", "requests"].left == math.floor(RATE.limit - book.rate.level)
            assert by_id["key", "requests"].left == math.floor(4 - mine.rate.level)
            assert by_id["lim_tokens", "tokens"].left == math.floor(TOKENS - mine.tokens.level)
            assert by_id["lim_open", "concurrency"].left == AT_ONCE - mine.open
            assert by_id["plan", "calls"].used == book.total("calls")
            hard = by_id["lim_hard", "budget"]
            assert (hard.used, hard.held, hard.left) == (mine.spend, mine.held, HARD - mine.spend - mine.held)
            assert by_id["lim_soft", "budget"].refuses == over_soft
            assert by_id["lim_shadow", "requests"].refuses == over_shadow
            would = {fact["id"] for fact in admission.facts["would_refuse"]}
            assert would == {name for name, is_so in (("lim_soft", over_soft), ("lim_shadow", over_shadow)) if is_so}
            book.open[request.request_id] = admission.lease, key

        @rule(org=st.sampled_from(ORGS), halves=st.integers(1, 9))
        def time_passes(self, org: UUID, halves: int) -> None:
            """Moving the buckets back in time is what the passing of time looks like to them."""
            book = self.books[org]
            for name in self.client.keys(f"{of_org(org).base}rate:{org}:*"):
                tat = int(self.client.get(name) or 0)
                self.client.set(name, tat - halves * STEP_S * 500_000, keepttl=True)
            steps = Fraction(halves, 2)
            for bucket in (book.rate, book.shadow, *(b for k in book.keys.values() for b in (k.rate, k.tokens))):
                bucket.pass_time(steps)

        @precondition(lambda self: any(book.open for book in self.books.values()))
        @rule(data=st.data(), refund=st.booleans())
        def settle(self, data: st.DataObject, refund: bool) -> None:
            org = data.draw(st.sampled_from([org for org in ORGS if self.books[org].open]))
            book = self.books[org]
            lease, key = book.open.pop(data.draw(st.sampled_from(sorted(book.open))))
            price = data.draw(st.integers(0, lease.estimate_micros))
            used = data.draw(st.integers(0, lease.tokens))
            settlement = a_settlement(
                provider_cost_micros=price, markup_micros=0, charged_micros=price, counts_as_call=not refund,
                prompt_tokens=used, completion_tokens=0,
            )  # fmt: skip
            assert self._settle(lease, settlement) is Settled.SETTLED
            mine = self._closed(book, lease, key)
            mine.tokens.level = max(Fraction(0), mine.tokens.level - (lease.tokens - used))
            mine.calls -= refund
            mine.spend += price
            book.entries["settled"] += 1
            book.closed.append(lease)

        def _closed(self, book: Book, lease: Any, key: UUID) -> OfKey:
            mine = book.keys[key]
            mine.open -= 1
            mine.held -= lease.estimate_micros
            return mine

        @precondition(lambda self: any(book.closed for book in self.books.values()))
        @rule(data=st.data())
        def settle_again(self, data: st.DataObject) -> None:
            book = data.draw(st.sampled_from([book for book in self.books.values() if book.closed]))
            assert self._settle(data.draw(st.sampled_from(book.closed)), a_settlement()) is Settled.ALREADY

        @precondition(lambda self: any(book.reaped for book in self.books.values()))
        @rule(data=st.data())
        def settle_late(self, data: st.DataObject) -> None:
            book = data.draw(st.sampled_from([book for book in self.books.values() if book.reaped]))
            lease, key = book.reaped.pop()
            cheap = a_settlement(provider_cost_micros=10, markup_micros=0, charged_micros=10)
            assert self._settle(lease, cheap) is Settled.LATE
            book.keys[key].spend += 10 - lease.estimate_micros
            book.entries["late"] += 1
            book.closed.append(lease)

        @precondition(lambda self: any(book.open for book in self.books.values()))
        @rule(data=st.data())
        def worker_dies(self, data: st.DataObject) -> None:
            org = data.draw(st.sampled_from([org for org in ORGS if self.books[org].open]))
            book = self.books[org]
            lease, key = book.open.pop(data.draw(st.sampled_from(sorted(book.open))))
            self.client.zadd(of_org(org).leases, {str(lease.request_id): 1})
            assert services.reap(self.client).leases == 1
            self._closed(book, lease, key).spend += lease.estimate_micros
            book.entries["estimated"] += 1
            book.reaped.append((lease, key))

        def _settle(self, lease: Any, settlement: Any) -> Settled:
            return self.runner.run(services.settle(self.store, lease, settlement, keeper=self.keeper))

        @invariant()
        def store_agrees(self) -> None:
            month = f"{datetime.now(UTC):%Y%m}"
            for org, book in self.books.items():
                keys = of_org(org)
                for window in (month, f"{datetime.now(UTC):%Y%m%d}"):
                    whole = [book.total(name) for name in ("calls", "spend", "held")]
                    assert self._used(keys.use(window)) == whole
                    for key, mine in book.keys.items():
                        assert self._used(keys.use(window, f"k{key}")) == [mine.calls, mine.spend, mine.held]
                        open_now = self.client.get(f"{keys.base}open:{org}:k{key}:lim_open")
                        assert int(open_now or 0) == mine.open
                facts = self.client.hgetall(keys.lease)
                mine_open = {UUID(name.decode()) for name, value in facts.items() if str(org).encode() in value}
                assert mine_open == set(book.open)
                assert {UUID(name.decode()) for name in self.client.zrange(keys.leases, 0, -1)} >= mine_open
                stream = [
                    fields for _, fields in self.client.xrange(keys.usage) if str(org).encode() in fields[b"data"]
                ]
                for kind, expected in book.entries.items():
                    assert sum(fields[b"kind"] == kind.encode() for fields in stream) == expected

        def _used(self, name: str) -> list[int]:
            return [int(value or 0) for value in self.client.hmget(name, "calls", "spend", "held")]

    return Admission


def test_admission__any_sequence_of_calls__agrees_with_the_model(url: str) -> None:
    run_state_machine_as_test(
        machine(url),
        settings=settings(
            max_examples=80, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
