"""Admission as the surfaces and the engine use it: one process-wide store, limits taken from the caller's organization.

The only door to ``services`` for a request. What the answer's ``RateLimit-*`` headers and the decision record say
about limits is written here, once, for every surface.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from django.conf import settings

from gateway.core import clock
from gateway.core.endpoint import Call
from gateway.core.errors import GatewayError, Unavailable
from gateway.core.valkey import Valkey, connection
from gateway.platform.admission import services
from gateway.platform.admission.types import (
    Admission,
    AdmissionRequest,
    Lease,
    LeaseDraft,
    LimitsView,
    Note,
    RateLimit,
    Settlement,
    Tried,
)
from gateway.platform.flags import catalogue
from tenants import plans
from tenants.directory import EPOCH_KEY
from tenants.types import Organization, Principal

# Of one person for what calls no model: their own affairs, and looking at their organizations. A page of the console
# is half a dozen calls and goes on asking while it is open; that must not use up what the programs may ask.
ACCOUNT_RATE = RateLimit(600, 60)
# What was worked out for each organization as the directory holds it now; another object means that something changed.
_limits: dict[UUID, tuple[Organization, RateLimit, int | None]] = {}
_store: tuple[asyncio.AbstractEventLoop, Valkey] | None = None


def store() -> Valkey:
    """This event loop's connection to the store."""
    global _store
    loop = asyncio.get_running_loop()
    if _store is None or _store[0] is not loop:
        _store = loop, connection(settings.IKIRO_REDIS_URL)
    return _store[1]


async def admit_rate(call: Call) -> None:
    """Let a request pass that calls no model: it counts toward the request rate and nothing else; a person's toward
    their own."""
    principal: Principal = call.principal
    if (user_id := principal.user_id) is not None:
        call.admission = await _let_in(call, _of_person(call, user_id, ACCOUNT_RATE))
    else:
        call.admission = await _admit(call, counts_as_call=False, lease=None)


async def open_lease(call: Call, *, estimate_micros: int, facts: Mapping[str, Any]) -> Lease:
    """Let a request pass that will call a model, and hold ``estimate_micros`` for it until it settles or its lease
    runs out."""
    draft = LeaseDraft(estimate_micros=estimate_micros, facts=facts)
    call.admission = await _admit(call, counts_as_call=True, lease=draft)
    lease: Lease = call.admission.lease
    return lease


async def settle(lease: Lease, settlement: Settlement) -> None:
    """Close a lease with what really happened; safe to call twice, and while the store is away (then it is
    journaled)."""
    await services.settle(store(), lease, settlement)


async def _admit(call: Call, *, counts_as_call: bool, lease: LeaseDraft | None) -> Admission:
    principal: Principal = call.principal
    rate, quota = limits_of(principal)
    key = principal.key
    request = AdmissionRequest(
        principal.ref.id, call.request_id, key.id if key is not None else None, rate, quota, counts_as_call, lease,
        None if key is not None else principal.user_id,
    )  # fmt: skip
    return await _let_in(call, request)


async def admit_account(call: Call, rate: RateLimit = ACCOUNT_RATE) -> None:
    """Let a person's own request pass, which belongs to no organization."""
    call.admission = await _let_in(call, _of_person(call, call.account.person.id, rate))


def _of_person(call: Call, user_id: UUID, rate: RateLimit) -> AdmissionRequest:
    return AdmissionRequest(user_id, call.request_id, None, rate, None, False, user_id=user_id, scope="account")


async def admit_stranger(call: Call, scope: str, who: str, rate: RateLimit) -> None:
    """Let a request pass that nobody answers for yet: ``scope`` (address, session, …) and ``who`` it is name its
    limit."""
    bucket = UUID(bytes=hashlib.sha256(f"{scope}:{who}".encode()).digest()[:16])
    await _let_in(call, AdmissionRequest(bucket, call.request_id, None, rate, None, False, scope=scope))


async def _let_in(call: Call, request: AdmissionRequest) -> Admission:
    try:
        admission = await services.admit(store(), request)
    except GatewayError as error:
        limit = error.extra.get("limit")
        if limit:
            _headers(call, limit["limit"], limit["remaining"], limit["reset_s"])
        call.decided("limits", "refused", code=error.code, **error.extra)
        raise
    _headers(call, admission.rate_limit, admission.rate_remaining, admission.rate_reset_s)
    call.decided("limits", "ok", **admission.facts)
    return admission


def limits_of(principal: Principal) -> tuple[RateLimit, int | None]:
    """The request rate and the monthly calls of the caller's organization."""
    organization = principal.organization
    known = _limits.get(organization.ref.id)
    if known is None or known[0] is not organization:
        limits = plans.limits(organization)
        rate = RateLimit(limits.rate, limits.rate_window_s)
        known = _limits[organization.ref.id] = organization, rate, catalogue.monthly_calls(organization)
    return known[1], known[2]


def _headers(call: Call, limit: int, remaining: int, reset_s: float) -> None:
    call.headers["RateLimit-Limit"] = str(limit)
    call.headers["RateLimit-Remaining"] = str(max(0, remaining))
    call.headers["RateLimit-Reset"] = str(max(0, round(reset_s)))


async def limits_now(call: Call) -> LimitsView:
    """What is left at this moment, without using any of it."""
    rate, quota = limits_of(call.principal)
    return await services.usage_now(store(), call.principal.ref.id, rate=rate, quota=quota)


async def show_limits(call: Call) -> None:
    """Give a refusal that admission never came to see its ``RateLimit-*`` headers, without using any of it."""
    try:
        now = await limits_now(call)
    except Unavailable:
        return  # the refusal stands by itself; what is left cannot be known at the moment
    _headers(call, now.rate_limit, now.rate_remaining, now.rate_reset_s)


async def lookup(org_id: UUID, request_id: UUID) -> dict[str, Any] | None:
    """A request that is open, or settled but not yet in the ledger."""
    return await services.lookup(store(), org_id, request_id)


async def note_reads(call: Call) -> None:
    """Send the call's reads of memory and content to the audit, by way of the usage stream."""
    principal: Principal = call.principal
    for read in call.reads:
        data = {**read, "actor": str(principal.actor), "request_id": str(call.request_id)}
        await services.note(store(), _note(principal, "read", surface=call.surface, data=data))


async def note_refusal(call: Call, error: GatewayError, *, of: Principal | None = None) -> None:
    """Count a refusal of a known caller (``of`` where the call has none); written once per caller, reason and minute. A
    store that is away loses no more than the count."""
    principal: Principal | None = of or call.principal
    if principal is None or error.http_status >= 500:
        return
    try:
        await services.note(store(), _note(principal, "refusal", surface=call.surface, reason=error.code))
    except Unavailable:
        call.decided("trail", "degraded", code="store_unavailable")


def _note(principal: Principal, kind: str, **facts: Any) -> Note:
    key_id = principal.key_id
    return Note(principal.ref.id, kind, key_id, **facts, user_id=None if key_id else principal.user_id)


async def note_failed_call(call: Call, error: GatewayError, *, of: Principal | None = None) -> None:
    """Remember the last call of an organization that did not work, for whoever waits for its first that does."""
    principal: Principal | None = of or call.principal
    if principal is None:
        return
    tried = Tried(call.request_id, error.http_status, error.code, error.detail[:500], clock.micros() // 1000)
    try:
        await services.tried(store(), principal.ref.id, tried)
    except Unavailable:
        call.decided("trail", "degraded", code="store_unavailable")


async def last_failed_call(org_id: UUID) -> Tried | None:
    """The last call that did not work, None when there was none for a week."""
    return await services.last_tried(store(), org_id)


async def read_epoch() -> int:
    """The directory version that the store announces; 0 before the first change."""
    return int(await store().execute("GET", EPOCH_KEY) or 0)


def background_loops() -> dict[str, Callable[[], Awaitable[None]]]:
    """What a web process must keep running for its leases: renewal, and the replay of journaled settlements."""
    return {
        "lease-keeper": lambda: services.keeper().run(store()),
        "journal-replay": lambda: services.replayer().run(store()),
    }


async def close() -> None:
    """Close the connection at shutdown."""
    global _store
    await store().close()
    _store = None
