"""Which limits apply to a caller: the plan's, the organization's rules, the key's and the token's own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gateway.core import clock, ids
from gateway.platform.admission.limits import (
    CALLS,
    KEY,
    LIFE,
    ORGANIZATION,
    PLAN,
    TOKEN,
    Applied,
    Kind,
    Level,
    Limit,
    applied,
)
from gateway.platform.flags import catalogue
from gateway.platform.ledger.names import subject_holder
from tenants import plans
from tenants.directory import directory
from tenants.killswitch import Kill
from tenants.types import ApiKey, Organization, Principal

# How long what was worked out may stand at most although nothing that it was made of has changed.
_STANDS_S = 60.0
_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    organization: Organization
    key: ApiKey | None
    killed: Mapping[str, Kill]
    until: float
    whole: Applied
    rates: Applied


_known: dict[tuple[UUID, UUID | None, UUID | None, str], _Known] = {}


def of(principal: Principal, subject_id: str | None = None) -> Applied:
    """All that applies to a call to a model."""
    return _of(principal, subject_id).whole


def rates_of(principal: Principal) -> Applied:
    """What applies to a request that calls no model: the request rates."""
    return _of(principal, None).rates


def _of(principal: Principal, subject_id: str | None) -> _Known:
    organization, key = principal.organization, principal.key
    subject = subject_id if subject_id is not None and _by_subject(organization) else ""
    token = principal.token
    name = (organization.ref.id, token.id if token else principal.key_id, principal.user_id, subject)
    known = _known.get(name)
    now = time.monotonic()
    killed = directory.killed
    if (
        known is not None
        and known.organization is organization
        and known.key is key
        and known.killed is killed
        and now < known.until
    ):
        return known
    if len(_known) >= _KEPT:
        _known.clear()
    moment = clock.now()
    limits = _limits(principal, subject or None, moment)
    holders = [ORGANIZATION, *_holders(principal), *([subject_holder(subject)] if subject else [])]
    rates = [limit for limit in limits if limit.kind == Kind.REQUESTS and limit.level != Level.SUBJECT]
    known = _known[name] = _Known(
        organization, key, killed, now + stands_s(organization, moment), applied(limits, holders), applied(rates)
    )
    return known


def _by_subject(organization: Organization) -> bool:
    return any(rule.level == Level.SUBJECT for rule in organization.rules)


def stands_s(organization: Organization, now: datetime) -> float:
    """Seconds for which the limits of this organization stay as they are while nobody changes it: raises end."""
    ends = [rule.raised_until for rule in organization.rules if rule.raised_until is not None]
    return min([_STANDS_S, *((end - now).total_seconds() for end in ends if end > now)])


def _limits(principal: Principal, subject_id: str | None, now: datetime) -> list[Limit]:
    organization, key = principal.organization, principal.key
    plan = plans.limits(organization)
    found = [
        Limit(PLAN, Level.ORGANIZATION, Kind.REQUESTS, plan.rate, plan.rate_window_s),
        Limit(PLAN, Level.ORGANIZATION, CALLS, catalogue.monthly_calls(organization), "month"),
    ]
    if key is not None:
        found += _of_key(key)
    token = principal.token
    if token is not None and token.budget_micros is not None:
        since = int(ids.created_at(token.id).timestamp() * 1000)
        found.append(
            Limit(TOKEN, "token", Kind.BUDGET, token.budget_micros, LIFE, token_holder(token.id), since_ms=since)
        )
    holders = {
        Level.ORGANIZATION: ORGANIZATION,
        Level.KEY: key_holder(key.id) if key is not None else None,
        Level.USER: user_holder(principal.user_id) if principal.user_id is not None else None,
        Level.SUBJECT: subject_holder(subject_id) if subject_id is not None else None,
    }
    for rule in organization.rules:
        holder = holders.get(Level(rule.level))
        if holder is not None:
            limit = Limit(
                rule.id, rule.level, rule.kind, rule.limit_at(now), rule.window, holder, rule.hard, rule.shadow
            )
            found.append(limit)
    return found


def _of_key(key: ApiKey) -> list[Limit]:
    holder, found = key_holder(key.id), []
    if key.rate is not None:
        found.append(Limit(KEY, Level.KEY, Kind.REQUESTS, key.rate.limit, key.rate.window_s, holder))
    if (budget := key.budget) is not None:
        found.append(Limit(KEY, Level.KEY, Kind.BUDGET, budget.limit_micros, budget.window, holder, budget.hard))
    return found


def _holders(principal: Principal) -> list[str]:
    held = []
    if principal.key is not None:
        held.append(key_holder(principal.key.id))
    if principal.user_id is not None:
        held.append(user_holder(principal.user_id))
    token = principal.token
    if token is not None and token.budget_micros is not None:
        held.append(token_holder(token.id))
    return held


def key_holder(key_id: UUID) -> str:
    return f"k{key_id}"


def user_holder(user_id: UUID) -> str:
    return f"u{user_id}"


def token_holder(token_id: UUID) -> str:
    return f"t{token_id}"
