"""80 and 100 % of the quotas and of each budget, told once per window: the row and its event are one transaction, and
the row's uniqueness makes it once, however many look at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core import clock, ids
from gateway.core.journal import SYSTEM, Change, Event, record
from gateway.platform.billing.models import AlertRow
from gateway.platform.billing.months import Month
from gateway.platform.flags import catalogue
from gateway.platform.ledger import usage
from gateway.platform.ledger.usage import UsageQuery
from tenants import plans, selectors
from tenants.rules import Kind, Level, LimitRule
from tenants.types import ApiKey, Organization

THRESHOLDS = (80, 100)
_ALL = 10_000
_PAGE = 200
# Level of a rule → how usage is grouped for it, and what its ids begin with outside.
_GROUPS = {Level.KEY: ("key", "key"), Level.USER: ("user", "usr"), Level.SUBJECT: ("subject", None)}


@dataclass(frozen=True, slots=True)
class Measured:
    """One limit and what is used of it. ``of`` is whose: a public id, a subject, or empty for the organization."""

    what: str
    unit: str
    level: str
    of: str
    rule: str
    window: str
    limit: int
    used: int

    def reached(self) -> tuple[int, ...]:
        """The thresholds, in percent, that this use has come to."""
        return tuple(one for one in THRESHOLDS if self.used > 0 and self.used * 100 >= self.limit * one)


def check(organization: Organization) -> int:
    """Tell every threshold that was reached and not told yet, inside the organization's scope; returns how many."""
    now = clock.now()
    found = [(one, threshold) for one in _measured(organization, now) for threshold in one.reached()]
    if not found:
        return 0
    windows = {one.window for one, _ in found}
    told = set(
        AlertRow.objects.filter(window__in=windows).values_list("what", "level", "of", "rule", "window", "threshold")
    )
    new = [(one, at) for one, at in found if (one.what, one.level, one.of, one.rule, one.window, at) not in told]
    return sum(_tell(organization, one, threshold) for one, threshold in new)


def _tell(organization: Organization, one: Measured, threshold: int) -> bool:
    with transaction.atomic():
        _, first = AlertRow.objects.get_or_create(
            what=one.what, level=one.level, of=one.of, rule=one.rule, window=one.window, threshold=threshold,
            defaults={"limit": one.limit, "used": one.used},
        )  # fmt: skip
        if not first:
            return False
        subject = one.of if one.level == Level.SUBJECT else None
        payload: dict[str, Any] = {
            "what": one.what, "level": one.level, "threshold": threshold, "window": one.window,
            "limit": one.limit, "used": one.used, "unit": one.unit,
        }  # fmt: skip
        if one.rule:
            payload["rule_id"] = one.rule
        if one.level in (Level.KEY, Level.USER):
            payload[f"{one.level}_id"] = one.of
        change = Change(
            "usage.threshold_reached", SYSTEM, organization.ref.public_id, subject_id=subject, detail=payload
        )
        record(change, Event("usage.threshold_reached", payload, subject_id=subject))
    return True


def _measured(organization: Organization, now: datetime) -> Iterator[Measured]:
    month = Month(now.date().replace(day=1))
    org_id = organization.ref.id
    whole = usage.totals(org_id, UsageQuery(month.start, month.end))
    included = plans.limits(organization).memory_operations
    quotas = (
        ("calls", catalogue.monthly_calls(organization), whole.calls),
        ("memory_operations", included, whole.memory_operations),
    )
    for what, limit, used in quotas:
        if limit is not None:
            yield Measured(what, what, Level.ORGANIZATION, "", "", month.name, limit, used)
    for rule in organization.rules:
        if rule.kind == Kind.BUDGET:
            yield from _of_rule(org_id, rule, now)
    yield from _of_keys(organization, now)


def _of_rule(org_id: UUID, rule: LimitRule, now: datetime) -> Iterator[Measured]:
    query, name = _window(str(rule.window), now)
    limit = rule.limit_at(now)
    if rule.level == Level.ORGANIZATION:
        used = usage.totals(org_id, query).charged_micros
        yield Measured("budget", "micros", rule.level, "", rule.id, name, limit, used)
        return
    known = _GROUPS.get(Level(rule.level))
    if known is None:
        return
    group, prefix = known
    query = UsageQuery(query.start, query.end, (group,))
    found, _ = usage.groups(org_id, query, limit=_ALL, least_micros=max(1, limit * THRESHOLDS[0] // 100))
    for one in found:
        (of,) = one.key.values()
        if of is not None:
            shown = ids.public(prefix, of) if prefix else of
            yield Measured("budget", "micros", rule.level, shown, rule.id, name, limit, one.sums.charged_micros)


def _of_keys(organization: Organization, now: datetime) -> Iterator[Measured]:
    """Each key's own budget."""
    budgeted = [key for key in _keys(organization) if key.budget is not None]
    for window in {key.budget.window for key in budgeted if key.budget is not None}:
        query, name = _window(window, now)
        by_key, _ = usage.groups(organization.ref.id, UsageQuery(query.start, query.end, ("key",)), limit=_ALL)
        spent = {one.key["key_id"]: one.sums.charged_micros for one in by_key}
        for key in budgeted:
            if key.budget is not None and key.budget.window == window:
                limit, used = key.budget.limit_micros, spent.get(key.id, 0)
                yield Measured("budget", "micros", Level.KEY, key.public_id, "key", name, limit, used)


def _keys(organization: Organization) -> Iterator[ApiKey]:
    after: UUID | None = None
    while True:
        page = selectors.keys_page(organization.ref, limit=_PAGE, after=after)
        yield from page.data
        if page.next_cursor is None:
            return
        after = page.data[-1].id


def _window(window: str, now: datetime) -> tuple[UsageQuery, str]:
    """The running day or month, and its name."""
    if window == "day":
        start = datetime.combine(now.date(), time(), UTC)
        return UsageQuery(start, start + timedelta(days=1)), date.isoformat(now.date())
    month = Month(now.date().replace(day=1))
    return UsageQuery(month.start, month.end), month.name
