"""The one door: every limit and the lease in one atomic step of the store."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.core.valkey import StoreUnavailable, Valkey
from gateway.platform.admission import entries, leases, verdicts
from gateway.platform.admission import journal as journals
from gateway.platform.admission.errors import DuplicateRequest
from gateway.platform.admission.journal import Call, Journal
from gateway.platform.admission.keys import of_org
from gateway.platform.admission.leases import LeaseKeeper
from gateway.platform.admission.limits import LimitState, states
from gateway.platform.admission.scripts import ADMIT, VOID
from gateway.platform.admission.types import Admission, AdmissionRequest, Lease, LimitsState

_REFUSED, _DUPLICATE = 1, 2
# A mark of a given-back admission outlives any lease that the admission may still open.
_VOID_KEPT_LEASES = 5


async def admit(
    store: Valkey,
    request: AdmissionRequest,
    *,
    keeper: LeaseKeeper | None = None,
    journal: Journal | None = None,
    goes_on: bool = False,
) -> Admission:
    """Let ``request`` in, or raise RateLimited, OverBudget, BudgetUnknown or StoreUnavailable; a refusal changes
    nothing.

    One round trip. An opened lease is kept alive by ``keeper`` until ``settle``. When the caller goes away or the
    answer does not come, what the store may have done is taken back; unless the caller ``goes_on`` under the same
    request id without the store.
    """
    draft = request.lease
    ttl_s = (draft.expires_in_s or leases.lease_ttl_s()) if draft is not None else 0.0
    args = arguments("admit", request, ttl_s)
    await store.ready()
    answer = store.submit_script(ADMIT, (of_org(request.org_id).base,), args)
    try:
        reply = await answer
    except asyncio.CancelledError:
        give_back(store, request, ttl_s, journal)
        raise
    except StoreUnavailable as error:
        if error.maybe_applied and not goes_on:
            give_back(store, request, ttl_s, journal)
        raise
    admission = _admission(request, reply, ttl_s)
    if admission.lease is not None:
        (leases.keeper() if keeper is None else keeper).hold(admission.lease)
    return admission


async def look(store: Valkey, request: AdmissionRequest) -> LimitsState:
    """What ``admit`` would find; changes nothing. Raises StoreUnavailable."""
    reply = await store.script(ADMIT, (of_org(request.org_id).base,), arguments("look", request, 0))
    now = verdicts.moment(reply[2])
    return LimitsState(states(request.applied.limits, reply, now), now, reply[3].decode(), reply[4].decode())


def arguments(mode: str, request: AdmissionRequest, ttl_s: float) -> tuple[str | bytes | int, ...]:
    """What ``admit.lua`` is told of a request."""
    draft = request.lease
    return (
        mode,
        str(request.request_id),
        1 if request.counts_as_call else 0,
        int(ttl_s * 1000),
        0 if draft is None else draft.estimate_micros,
        0 if draft is None else draft.tokens,
        of_org(request.org_id).org,
        request.applied.holders,
        request.applied.encoded,
        b"" if draft is None else entries.facts_of(request, draft.facts),
    )


def _admission(request: AdmissionRequest, reply: list[Any], ttl_s: float) -> Admission:
    code, refused, now_ms, month, day = reply[:5]
    if code == _DUPLICATE:
        raise DuplicateRequest("A request with this id is being worked on already.")
    now = verdicts.moment(now_ms)
    found: tuple[LimitState, ...] = states(request.applied.limits, reply, now)
    if code == _REFUSED:
        raise verdicts.refusal(found, found[refused - 1], request.scope, now)
    lease = None
    if request.lease is not None:
        lease = lease_of(request, month.decode(), day.decode(), now_ms, ttl_s)
    return Admission(found, lease, verdicts.facts_of(found, now))


def lease_of(
    request: AdmissionRequest, month: str, day: str, now_ms: int, ttl_s: float, *, bounded: bool = False
) -> Lease:
    """The lease that was opened for ``request``."""
    draft = request.lease
    assert draft is not None  # noqa: S101 - only requests with a draft get here
    return Lease(
        org_id=request.org_id,
        request_id=request.request_id,
        key_id=request.key_id,
        month=month,
        day=day,
        opened_at_ms=now_ms,
        ttl_s=ttl_s,
        counts_as_call=request.counts_as_call,
        estimate_micros=draft.estimate_micros,
        facts=draft.facts,
        holders=request.applied.holders,
        tokens=draft.tokens,
        user_id=request.user_id,
        token_id=request.token_id,
        bounded=bounded,
    )


def give_back(store: Valkey, request: AdmissionRequest, ttl_s: float, journal: Journal | None) -> None:
    """Nobody will settle this lease: void it, now or, from the journal, when the store is back."""
    if request.lease is None:
        return
    kept_s = str(max(300, int(ttl_s * _VOID_KEPT_LEASES)))
    call = Call("void", [of_org(request.org_id).base], [str(request.request_id), kept_s])
    file = journal or journals.journal()
    try:
        sent = store.submit_script(VOID, call.keys, call.args)
    except StoreUnavailable:
        file.post(call)
    else:
        file.rescue(sent, call)
