"""Letting known callers in while the store is away or too slow: within what is in hand, at a rate that this worker
enforces by itself, and with the lease on disk before the model is called.

A call that calls no model needs nothing in hand. Nobody is let in that the store would not have been asked about,
nothing is looked up in the database instead, and strangers wait.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from gateway.core import clock
from gateway.core.valkey import StoreUnavailable, Valkey
from gateway.platform.admission import journal as journals
from gateway.platform.admission import leases, services, verdicts
from gateway.platform.admission.allowances import Allowances, allowances
from gateway.platform.admission.journal import Call, Journal
from gateway.platform.admission.leases import LeaseKeeper
from gateway.platform.admission.limits import Kind, Limit, LimitState
from gateway.platform.admission.services.admit import give_back, lease_of
from gateway.platform.admission.types import Admission, AdmissionRequest, Lease
from tenants.types import Principal

__all__ = ["admit", "allowances", "money_left", "settled"]

# Buckets that are full again are forgotten when there are more than this.
_BUCKETS = 10_000


class LocalRates:
    """GCRA of this worker alone, as ``admit.lua`` has it for all of them. Used from one event loop."""

    def __init__(self) -> None:
        self._full_at: dict[tuple[str, str, str], float] = {}

    def look(self, org: str, limit: Limit, cost: int, now: float) -> tuple[LimitState, float]:
        """The limit before ``cost`` is taken from it, and the moment at which its bucket would be full after that."""
        window, most = float(limit.window), max(1, limit.limit or 1)
        per = window / most
        full_at = min(max(self._full_at.get((org, limit.holder, limit.id), 0.0), now), now + window)
        after = full_at + cost * per
        over = after - now - window
        left = int((window - (full_at - now)) / per + 1e-6)
        state = LimitState(limit, over > 1e-9, unknown=False, left=left, reset_s=full_at - now, retry_s=max(0.0, over),
                           used=0, held=0)  # fmt: skip
        return state, after

    def take(self, org: str, limit: Limit, after: float, now: float) -> None:
        if len(self._full_at) >= _BUCKETS:
            self._full_at = {name: at for name, at in self._full_at.items() if at > now}
        self._full_at[org, limit.holder, limit.id] = after


_rates = LocalRates()


async def admit(
    store: Valkey,
    request: AdmissionRequest,
    *,
    keeper: LeaseKeeper | None = None,
    journal: Journal | None = None,
    hand: Allowances | None = None,
    rates: LocalRates | None = None,
) -> Admission:
    """``services.admit``, and when the store does not answer, what this worker may decide by itself. Raises what that
    raises; StoreUnavailable also when nothing is in hand."""
    hand, keeper = hand or allowances(), keeper or leases.keeper()
    try:
        admission = await services.admit(store, request, keeper=keeper, journal=journal, goes_on=True)
    except StoreUnavailable as away:
        try:
            alone = _Alone(keeper, journal or journals.journal(), hand, rates or _rates)
            return await _without_store(request, away, alone)
        except BaseException:
            if away.maybe_applied:
                give_back(store, request, leases.lease_ttl_s(), journal)
            raise
    if request.lease is not None:
        hand.seen(request)
    return admission


@dataclass(frozen=True, slots=True)
class _Alone:
    """What a worker decides with when it is alone."""

    keeper: LeaseKeeper
    journal: Journal
    hand: Allowances
    rates: LocalRates


async def _without_store(request: AdmissionRequest, away: StoreUnavailable, alone: _Alone) -> Admission:
    now, moment = time.monotonic(), clock.now()
    org, draft = str(request.org_id), request.lease
    found: list[LimitState] = []
    takes: list[tuple[Limit, float]] = []
    for limit in request.applied.limits:
        if limit.kind == Kind.REQUESTS or (limit.kind == Kind.TOKENS and draft is not None):
            cost = draft.tokens if draft is not None and limit.kind == Kind.TOKENS else 1
            state, after = alone.rates.look(org, limit, cost, now)
            takes.append((limit, after))
        elif limit.kind == Kind.CONCURRENCY:
            state = _at_once(limit, alone.keeper)
        else:
            continue
        found.append(state)
        if state.refuses and not limit.reports:
            raise verdicts.refusal(found, state, request.scope, moment)
    lease = None
    if draft is not None:
        if alone.hand.take(request) is None:
            raise away
        lease = await _opened(request, alone.journal, alone.hand)
        alone.keeper.hold(lease)
    for limit, after in takes:
        alone.rates.take(org, limit, after, now)
    return Admission(tuple(found), lease, {**verdicts.facts_of(found, moment), "bounded": True})


def _at_once(limit: Limit, keeper: LeaseKeeper) -> LimitState:
    """How many calls under this limit this worker has open."""
    most = limit.limit or 0
    count = sum(limit.holder in lease.holders.split(",") for lease in keeper.leases())
    left = max(0, most - count)
    return LimitState(limit, count >= most, unknown=False, left=left, reset_s=0.0, retry_s=1.0, used=count, held=0)


async def _opened(request: AdmissionRequest, journal: Journal, hand: Allowances) -> Lease:
    """The lease, once its opening is on disk. A caller who goes away meanwhile leaves it open on disk and void."""
    moment = clock.now()
    now_ms = int(moment.timestamp() * 1000)
    lease = lease_of(request, f"{moment:%Y%m}", f"{moment:%Y%m%d}", now_ms, leases.lease_ttl_s(), bounded=True)
    try:
        on_disk = await asyncio.shield(journal.append(Call("reopen", *leases.reopening(lease, only_after_loss=False))))
    except asyncio.CancelledError:
        journal.post(Call("void", [*leases.reopening(lease, only_after_loss=False)[0]], [str(lease.request_id), "300"]))
        raise
    if not on_disk:
        hand.put_back(request, lease.estimate_micros, calls=1)
        raise StoreUnavailable("The store is away, and what would be owed cannot be written down.")
    return lease


def settled(lease: Lease, charged_micros: int, *, hand: Allowances | None = None) -> None:
    """A bounded call has ended: what it did not cost is in hand again."""
    if lease.bounded:
        (hand or allowances()).put_back(lease, lease.estimate_micros - charged_micros)


def money_left(principal: Principal) -> int:
    """The micro-dollars in hand for a caller under a hard budget. Raises StoreUnavailable when there are none."""
    held = allowances().of(principal.ref.id, principal.key_id or principal.user_id)
    if held is None or not held.micros:
        raise StoreUnavailable("The store is away, and nothing is in hand for this budget.")
    return held.micros
