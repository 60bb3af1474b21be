"""`/v1/limits`: what is left and when it resets, and the limits that an organization sets for itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router

from gateway.core import clock, ids
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.governance.access import rules as access
from gateway.platform.admission import gate
from gateway.platform.admission.limits import CALLS, KEY, LIFE, PLAN, TOKEN, Kind, LimitState, window_end
from gateway.platform.admission.services import rules
from gateway.platform.admission.types import LimitsState
from gateway.surfaces.v1.schemas.limits import (
    LimitRaiseIn,
    LimitRuleIn,
    LimitRuleOut,
    LimitRulePatchIn,
    LimitRulesOut,
    LimitsOut,
)
from tenants import selectors
from tenants.context import in_tenant
from tenants.rules import LimitRule
from tenants.types import Principal

router = Router(tags=["limits"])
_NO_RULE = (PLAN, KEY, TOKEN)
_KeyId = Annotated[str | None, Query(max_length=64, description="Show what holds for this key instead")]
_SubjectId = Annotated[str | None, Query(min_length=1, max_length=128, description="With the limits of this subject")]


@router.get("/limits", response=LimitsOut, summary="What is left and when it resets")
@endpoint(scope=None)
async def limits(request: HttpRequest, key_id: _KeyId = None, subject_id: _SubjectId = None) -> dict[str, Any]:
    """Every limit over the caller, as the store has it at this moment; asking uses one request of the request rate and
    nothing else."""
    call = call_of(request)
    principal: Principal = call.principal
    if subject_id is not None:
        principal.require_subject(subject_id)
    of = await _key(principal, key_id) if key_id is not None else principal
    return _shown(await gate.limits_view(call, of=of, subject_id=subject_id), of)


async def _key(principal: Principal, key_id: str) -> Principal:
    if principal.key is not None and principal.key.public_id == key_id:
        return principal
    access.require_scope(principal, Scope.KEYS_READ)
    key = await in_tenant(principal.ref, selectors.key, principal.ref, ids.parse("key", key_id))
    return Principal(principal.organization, key)


def _shown(view: LimitsState, of: Principal) -> dict[str, Any]:
    found: dict[str, list[dict[str, Any]]] = {"rates": [], "concurrency": [], "quotas": [], "budgets": []}
    for state in view.states:
        place, shown = _line(state, view, of)
        found[place].append(shown)
    return {**found, "spent_micros": view.spent_micros}


def _line(state: LimitState, view: LimitsState, of: Principal) -> tuple[str, dict[str, Any]]:
    limit = state.limit
    shown: dict[str, Any] = {"scope": limit.level, "limit": limit.limit}
    named = {"rule_id": None if limit.id in _NO_RULE else limit.id, "shadow": limit.shadow}
    if limit.kind == CALLS:
        return "quotas", {**shown, "unit": "calls", "used": state.used, "reset_at": window_end("month", view.now)}
    if limit.kind == Kind.CONCURRENCY:
        return "concurrency", {**shown, **named, "open": state.used, "remaining": state.left}
    if limit.kind != Kind.BUDGET:
        ends = view.now + timedelta(seconds=state.reset_s)
        return "rates", {
            **shown, **named, "kind": limit.kind, "window_s": limit.window, "remaining": state.left,
            "reset_s": state.reset_s, "reset_at": ends,
        }  # fmt: skip
    return "budgets", {
        **named,
        "scope": limit.level,
        "key_id": of.key.public_id if of.key is not None and limit.level == "key" else None,
        "limit_micros": limit.limit,
        "spent_micros": state.used,
        "reserved_micros": state.held,
        "remaining_micros": state.left,
        "window": str(limit.window),
        "reset_at": None if limit.window == LIFE else window_end(str(limit.window), view.now),
        "hard": limit.hard,
    }


@router.get("/limits/rules", response=LimitRulesOut, summary="List the organization's own limits")
@endpoint(scope=Scope.USAGE_READ)
async def list_limits(request: HttpRequest) -> LimitRulesOut:
    now = clock.now()
    found = call_of(request).principal.organization.rules
    return LimitRulesOut(data=[LimitRuleOut.of(rule, now) for rule in found])


@router.post("/limits/rules", response={201: LimitRuleOut}, summary="Set a limit")
@endpoint(scope=Scope.LIMITS_WRITE)
async def create_limit(request: HttpRequest, body: LimitRuleIn) -> tuple[int, LimitRuleOut]:
    """It holds on every worker within a second, and counts what was used before it was made."""
    return 201, _out(await _write(request, rules.create, **body.model_dump()))


@router.patch("/limits/rules/{rule_id}", response=LimitRuleOut, summary="Change a limit")
@endpoint(scope=Scope.LIMITS_WRITE)
async def change_limit(request: HttpRequest, rule_id: str, body: LimitRulePatchIn) -> LimitRuleOut:
    return _out(await _write(request, rules.change, rule_id, **body.model_dump()))


@router.delete("/limits/rules/{rule_id}", response={204: None}, summary="Remove a limit")
@endpoint(scope=Scope.LIMITS_WRITE)
async def remove_limit(request: HttpRequest, rule_id: str) -> tuple[int, None]:
    await _write(request, rules.remove, rule_id)
    return 204, None


@router.post("/limits/rules/{rule_id}/raise", response=LimitRuleOut, summary="Raise a limit for a while")
@endpoint(scope=Scope.LIMITS_WRITE)
async def raise_limit(request: HttpRequest, rule_id: str, body: LimitRaiseIn) -> LimitRuleOut:
    """Until the given moment; after it the limit is what it was."""
    return _out(await _write(request, rules.raise_limit, rule_id, limit=body.limit, until=body.until))


@router.delete("/limits/rules/{rule_id}/raise", response=LimitRuleOut, summary="End a raise now")
@endpoint(scope=Scope.LIMITS_WRITE)
async def end_raise(request: HttpRequest, rule_id: str) -> LimitRuleOut:
    return _out(await _write(request, rules.end_raise, rule_id))


async def _write(request: HttpRequest, service: Any, *args: Any, **given: Any) -> Any:
    call = call_of(request)
    principal: Principal = call.principal
    return await in_tenant(
        principal.ref, service, principal.ref, *args, actor=principal.actor, request_id=call.request_id, **given
    )


def _out(rule: LimitRule) -> LimitRuleOut:
    return LimitRuleOut.of(rule, clock.now())
