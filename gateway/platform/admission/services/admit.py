"""The one door: rate, quota and lease in one atomic step of the store."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.core.valkey import StoreUnavailable, Valkey
from gateway.platform.admission import entries, leases
from gateway.platform.admission import journal as journals
from gateway.platform.admission.errors import DuplicateRequest, QuotaExceeded, RateLimited
from gateway.platform.admission.journal import Call, Journal
from gateway.platform.admission.keys import of_org
from gateway.platform.admission.leases import LeaseKeeper
from gateway.platform.admission.months import month_end
from gateway.platform.admission.scripts import ADMIT, VOID
from gateway.platform.admission.types import Admission, AdmissionRequest, Lease

_OVER_RATE, _OVER_QUOTA, _DUPLICATE = 1, 2, 3
# A mark of a given-back admission outlives any lease that the admission may still open.
_VOID_KEPT_LEASES = 5


async def admit(
    store: Valkey,
    request: AdmissionRequest,
    *,
    keeper: LeaseKeeper | None = None,
    journal: Journal | None = None,
) -> Admission:
    """Let ``request`` in, or raise RateLimited, QuotaExceeded or StoreUnavailable; a refusal changes nothing.

    One round trip. An opened lease is kept alive by ``keeper`` until ``settle``. When the caller goes away or the
    answer does not come, what the store may have done is taken back.
    """
    keys = of_org(request.org_id)
    draft = request.lease
    request_id = str(request.request_id)
    ttl_s = 0.0
    estimate, facts = 0, b""
    if draft is not None:
        ttl_s = draft.expires_in_s or leases.lease_ttl_s()
        estimate = draft.estimate_micros
        facts = entries.facts_of(request, draft.facts)
    await store.ready()
    answer = store.submit_script(
        ADMIT,
        (keys.rate, keys.month, keys.leases, keys.lease),
        (
            request_id,
            request.rate.limit,
            request.rate.window_s * 1_000_000,
            "" if request.quota is None else request.quota,
            1 if request.counts_as_call else 0,
            int(ttl_s * 1000),
            estimate,
            keys.org,
            facts,
        ),
    )
    try:
        reply = await answer
    except asyncio.CancelledError:
        _give_back(store, request, ttl_s, journal)
        raise
    except StoreUnavailable as error:
        if error.maybe_applied:
            _give_back(store, request, ttl_s, journal)
        raise
    admission = _admission(request, reply, ttl_s)
    if admission.lease is not None:
        (leases.keeper() if keeper is None else keeper).hold(admission.lease)
    return admission


def _admission(request: AdmissionRequest, reply: list[Any], ttl_s: float) -> Admission:
    code, remaining, reset_ms, retry_ms, used, now_ms, month_id = reply
    month = month_id.decode()
    rate, draft, ends = request.rate, request.lease, month_end(month)
    limit = {
        "scope": request.scope,
        "limit": rate.limit,
        "window_s": rate.window_s,
        "remaining": remaining,
        "reset_s": reset_ms / 1000,
    }
    quota = {"scope": "organization", "limit": request.quota, "used": used, "reset_at": ends.isoformat()}
    if code:
        extra = {"limit": limit, "quota": quota}
        if code == _OVER_RATE:
            raise RateLimited(
                f"This {request.scope} may send {rate.limit} requests in {rate.window_s} s.",
                retry_after=max(retry_ms, 1) / 1000,
                extra=extra,
            )
        if code == _OVER_QUOTA:
            raise QuotaExceeded(
                f"The plan's {request.quota} calls of this month are used up; the next month begins {ends:%Y-%m-%d}.",
                extra=extra,
            )
        raise DuplicateRequest("A request with this id is being worked on already.")
    lease = None
    if draft is not None:
        lease = Lease(
            org_id=request.org_id,
            request_id=request.request_id,
            key_id=request.key_id,
            month=month,
            opened_at_ms=now_ms,
            ttl_s=ttl_s,
            counts_as_call=request.counts_as_call,
            estimate_micros=draft.estimate_micros,
            facts=draft.facts,
            user_id=request.user_id,
        )
    return Admission(
        allowed=True,
        rate_limit=rate.limit,
        rate_remaining=remaining,
        rate_reset_s=reset_ms / 1000,
        quota_limit=request.quota,
        quota_used=used,
        quota_reset_at=ends,
        lease=lease,
        facts={"limit": limit, "quota": quota},
    )


def _give_back(store: Valkey, request: AdmissionRequest, ttl_s: float, journal: Journal | None) -> None:
    """Nobody will settle this lease: void it, now or, from the journal, when the store is back."""
    if request.lease is None:
        return
    keys = of_org(request.org_id)
    kept_s = str(max(300, int(ttl_s * _VOID_KEPT_LEASES)))
    call = Call(
        "void",
        [keys.leases, keys.lease, keys.copy(request.request_id), keys.month],
        [str(request.request_id), kept_s],
    )
    file = journal or journals.journal()
    try:
        sent = store.submit_script(VOID, call.keys, call.args)
    except StoreUnavailable:
        file.post(call)
        return

    def rescue(done: asyncio.Future[Any]) -> None:
        if done.cancelled() or done.exception() is not None:
            file.post(call)

    sent.add_done_callback(rescue)
