"""Admission as the surfaces and the engine use it: one process-wide store, limits taken from the caller and their
organization.

The only door to ``services`` for a request. What the answer's ``RateLimit-*`` headers and the decision record say
about limits is written here, once, for every surface.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from gateway.core.endpoint import Call
from gateway.core.errors import GatewayError, Unavailable
from gateway.core.valkey import Valkey
from gateway.platform.admission import bounded, payers, prepared, rules, services
from gateway.platform.admission.limits import Applied, Kind, Level, Limit, LimitState, applied, rate_alone, tightest
from gateway.platform.admission.process import close as _close_store
from gateway.platform.admission.process import store
from gateway.platform.admission.trail import last_failed_call, note_failed_call, note_reads, note_refusal
from gateway.platform.admission.types import (
    Admission,
    AdmissionRequest,
    Lease,
    LeaseDraft,
    LimitsState,
    RateLimit,
    Settlement,
)
from tenants import plans
from tenants.directory import EPOCH_KEY
from tenants.types import Principal

__all__ = [
    "ACCOUNT_RATE", "admit_account", "admit_rate", "admit_stranger", "background_loops", "budget_left", "close",
    "count_memory_operations", "keep", "keep_also", "last_failed_call", "limits_view", "lookup", "note_admitted",
    "note_failed_call", "note_reads", "note_refusal", "open_lease", "post_settlement", "preview", "read_epoch",
    "request_of", "settle", "show_limits", "store",
]  # fmt: skip

# Of one person for what calls no model: their own affairs, and looking at their organizations. A page of the console
# is half a dozen calls and goes on asking while it is open; that must not use up what the programs may ask.
ACCOUNT_RATE = RateLimit(600, 60)
# What the organization's month has cost, beside its limits.
_SPENT = Limit("spent", Level.ORGANIZATION, Kind.BUDGET, None, "month")


async def admit_rate(call: Call) -> None:
    """Let a request pass that calls no model: it counts toward the request rates and nothing else; a person's toward
    their own."""
    principal: Principal = call.principal
    if (user_id := principal.user_id) is not None:
        call.admission = await _let_in(call, _of_person(call, user_id, ACCOUNT_RATE))
    else:
        call.admission = await _let_in(call, request_of(call, rules.rates_of(principal)))


async def open_lease(
    call: Call, *, estimate_micros: int, tokens: int, subject_id: str | None, facts: Mapping[str, Any]
) -> Lease:
    """Let a request pass that will call a model, and hold ``estimate_micros`` and ``tokens`` (both upper bounds) for it
    until it settles or its lease runs out. Raises RateLimited, OverBudget or Unavailable; then nothing is held."""
    draft = LeaseDraft(estimate_micros=estimate_micros, facts=facts, tokens=tokens)
    call.admission = await _let_in(call, request_of(call, rules.of(call.principal, subject_id), draft))
    lease: Lease = call.admission.lease
    return lease


async def settle(lease: Lease, settlement: Settlement, earlier: Sequence[Settlement] = ()) -> None:
    """Close a lease with what really happened, ``earlier`` attempts before the last one included; safe to call twice,
    and while the store is away (then it is journaled)."""
    await services.settle(store(), lease, settlement, earlier=earlier)
    bounded.settled(lease, settlement.charged_micros + sum(attempt.charged_micros for attempt in earlier))


def post_settlement(connection: Valkey, command: bytes, written: Callable[[], None] | None = None) -> None:
    """``settle`` with a command of ``prepared``, for a caller who does not wait: it is on its way before the answer is
    (``written`` says when), until the store has it the lease stands for it, and what does not arrive is written
    down."""
    prepared.post(connection, command, written)


def keep(lease: Lease) -> None:
    """Keep a lease open, which was not opened here, until it is settled."""
    services.keeper().hold(lease)


def keep_also(source: Callable[[], Iterable[Lease]]) -> None:
    """Keep open whatever ``source`` says is: for calls so short that telling of each costs more than asking."""
    services.keeper().also(source)


async def budget_left(call: Call, *, subject_id: str | None) -> int | None:
    """The micro-dollars that the hard budgets over this caller leave now; None without a hard budget. Asks the store
    only where there is one; raises BudgetUnknown while what was spent is not known."""
    whole = rules.of(call.principal, subject_id)
    if not whole.guards_money:
        return None
    try:
        view = await services.look(store(), request_of(call, whole))
    except Unavailable:
        return bounded.money_left(call.principal)
    return min(max(0, state.left) for state in view.states if state.limit.guards_money)


async def preview(call: Call, *, estimate_micros: int, tokens: int, subject_id: str | None) -> list[dict[str, Any]]:
    """What every limit would say to this call now: its facts with ``verdict`` ``ok``, ``refused``, ``unknown`` or
    ``would_refuse`` (a limit that only reports). Changes nothing."""
    draft = LeaseDraft(estimate_micros=estimate_micros, tokens=tokens)
    view = await services.look(store(), request_of(call, rules.of(call.principal, subject_id), draft))
    return [{**state.facts(), "verdict": _verdict(state)} for state in view.states]


def _verdict(state: LimitState) -> str:
    if not state.refuses:
        return "ok"
    if state.limit.reports:
        return "would_refuse"
    return "unknown" if state.unknown else "refused"


async def limits_view(call: Call, *, of: Principal | None = None, subject_id: str | None = None) -> LimitsState:
    """Every limit over the caller (or ``of`` another one of the same organization) as it stands, without using any of
    it."""
    whole = rules.of(of or call.principal, subject_id)
    view = await services.look(store(), request_of(call, applied([*whole.limits, _SPENT], whole.holders.split(","))))
    return replace(view, states=view.states[:-1], spent_micros=view.states[-1].used)


async def count_memory_operations(
    call: Call, operations: int, *, subject_id: str | None = None, subjects: Sequence[str] = ()
) -> None:
    """Count memory writes or explicit recalls, of one subject or of the ``subjects`` of each. Beyond the plan they are
    billed, or refused with 402: ``memory_operations_exceeded`` where the plan sells none or the organization wants it
    so, ``budget_exceeded`` where a hard budget over the caller does not cover them. Raises Unavailable where that
    cannot be known; a refusal changes nothing."""
    principal: Principal = call.principal
    organization = principal.organization
    key_id = principal.key_id
    who = {
        "request_id": call.request_id,
        "key_id": key_id,
        "user_id": None if key_id else principal.user_id,
        "subject_id": subject_id,
    }
    try:
        counted = await services.count_memory(
            store(),
            organization.ref.id,
            operations,
            included=plans.limits(organization).memory_operations,
            overage_micros=plans.memory_overage_micros(organization),
            who=who,
            payers=payers.of(principal, subject_id, subjects),
        )
    except GatewayError as error:
        call.decided("memory_operations", "refused", code=error.code, **error.extra)
        raise
    if counted is not None:
        call.decided("memory_operations", "ok", **counted.facts())


def request_of(call: Call, whole: Applied, draft: LeaseDraft | None = None) -> AdmissionRequest:
    """What admission is asked for a call."""
    principal: Principal = call.principal
    key, token = principal.key, principal.token
    return AdmissionRequest(
        principal.ref.id, call.request_id, key.id if key is not None else None, whole, draft is not None, draft,
        None if key is not None else principal.user_id, token_id=token.id if token is not None else None,
    )  # fmt: skip


async def admit_account(call: Call, rate: RateLimit = ACCOUNT_RATE) -> None:
    """Let a person's own request pass, which belongs to no organization."""
    call.admission = await _let_in(call, _of_person(call, call.account.person.id, rate))


def _of_person(call: Call, user_id: UUID, rate: RateLimit) -> AdmissionRequest:
    alone = rate_alone(rate, "account")
    return AdmissionRequest(
        user_id, call.request_id, None, alone, counts_as_call=False, user_id=user_id, scope="account"
    )


async def admit_stranger(call: Call, scope: str, who: str, rate: RateLimit) -> None:
    """Let a request pass that nobody answers for yet: ``scope`` (address, session, …) and ``who`` it is name its
    limit. Without the store strangers wait."""
    bucket = UUID(bytes=hashlib.sha256(f"{scope}:{who}".encode()).digest()[:16])
    request = AdmissionRequest(
        bucket, call.request_id, None, rate_alone(rate, scope), counts_as_call=False, scope=scope
    )
    await _let_in(call, request, known=False)


async def _let_in(call: Call, request: AdmissionRequest, *, known: bool = True) -> Admission:
    try:
        admission = await (bounded.admit(store(), request) if known else services.admit(store(), request))
    except GatewayError as error:
        _headers(call, getattr(error, "states", ()), error)
        call.decided("limits", "refused", code=error.code, **error.extra)
        raise
    note_admitted(call, admission)
    return admission


def note_admitted(call: Call, admission: Admission) -> None:
    """What the answer's headers and the decision record say of a call that was let in."""
    _headers(call, admission.states)
    lease = admission.lease
    verdict = "degraded" if lease is not None and lease.bounded else "ok"
    call.decided("limits", verdict, **admission.facts)


def _headers(call: Call, states: Sequence[LimitState], error: GatewayError | None = None) -> None:
    """``RateLimit-*``: the limit that refused where waiting helps, else the request rate with the least left."""
    shown = tightest(states)
    if error is not None and error.http_status == 429 and "limit" in error.extra:
        refused = error.extra["limit"]
        shown = next((state for state in states if state.limit.id == refused["id"] and state.refuses), shown)
    if shown is not None:
        _show(call, shown.limit.limit or 0, shown.left, shown.reset_s)


def _show(call: Call, limit: int, remaining: int, reset_s: float) -> None:
    call.headers["RateLimit-Limit"] = str(limit)
    call.headers["RateLimit-Remaining"] = str(max(0, remaining))
    call.headers["RateLimit-Reset"] = str(max(0, round(reset_s)))


async def show_limits(call: Call) -> None:
    """Give a refusal that admission never came to see its ``RateLimit-*`` headers, without using any of it."""
    try:
        view = await services.look(store(), request_of(call, rules.rates_of(call.principal)))
    except Unavailable:
        return  # the refusal stands by itself; what is left cannot be known at the moment
    _headers(call, view.states)


async def lookup(org_id: UUID, request_id: UUID) -> dict[str, Any] | None:
    """A request that is open, or settled but not yet in the ledger."""
    return await services.lookup(store(), org_id, request_id)


async def read_epoch() -> int:
    """The directory version that the store announces; 0 before the first change."""
    return int(await store().execute("GET", EPOCH_KEY) or 0)


def background_loops() -> dict[str, Callable[[], Awaitable[None]]]:
    """What a web process must keep running for its leases: renewal, what it has in hand for when the store is away, and
    the replay of journaled settlements."""
    return {
        "lease-keeper": lambda: services.keeper().run(store()),
        "allowances": lambda: bounded.allowances().run(store()),
        "journal-replay": lambda: services.replayer().run(store()),
    }


async def close() -> None:
    """Give back what is in hand and close the connection at shutdown."""
    await bounded.allowances().give_back(store())
    await _close_store()
