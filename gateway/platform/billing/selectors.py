"""What an organization owes and why: its plan's days, its usage, its alerts. Read inside the organization's scope."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from gateway.core import clock
from gateway.platform.audit import selectors as audit
from gateway.platform.audit.types import AuditFilter
from gateway.platform.billing import connectors
from gateway.platform.billing.models import AlertRow
from gateway.platform.billing.months import Month, PlanChange, plan_periods, this_month
from gateway.platform.billing.statement import Used, base_micros, compose
from gateway.platform.billing.types import Alert, LineKind, Meter, Overview, PlanPeriod, Statement
from gateway.platform.flags import catalogue
from gateway.platform.ledger import usage
from gateway.platform.ledger.types import MEMORY_MODEL
from gateway.platform.ledger.usage import NOTHING, Sums, UsageQuery
from tenants import plans
from tenants.types import Organization

_PLAN_CHANGED = "organization.plan_changed"
_ALL = 10_000
_PAGE = 200
# Of a month that has just begun nothing can be foreseen; an hour is the least that counts as its past.
_LEAST_S = 3600


def statement(organization: Organization, month: Month) -> Statement:
    """The statement of a month; the running one shows what there is so far, with the plan to the month's end."""
    return compose(
        month,
        is_open=clock.now() < month.end,
        periods=periods(organization, month),
        connectors=connectors.count(organization.ref) if month == this_month() else 0,
        used=used(organization.ref.id, month),
    )


def periods(organization: Organization, month: Month) -> tuple[PlanPeriod, ...]:
    """The days of a month by plan. Every change of plan is in the audit, whoever made it, so that is its history."""
    since = organization.created_at.date()
    return plan_periods(month, since=since, plan=organization.plan, changes=plan_changes())


def plan_changes() -> list[PlanChange]:
    """Every change of plan of the organization in scope, oldest first."""
    found: list[PlanChange] = []
    after: UUID | None = None
    while True:
        page = audit.list_page(AuditFilter(action=_PLAN_CHANGED), limit=_PAGE, after=after)
        for entry in page.data:
            before, now = entry.detail["before"]["plan"], entry.detail["after"]["plan"]
            found.append(PlanChange(entry.occurred_at, before, now))
        if page.next_cursor is None:
            return found[::-1]
        after = page.data[-1].id


def used(org_id: UUID, month: Month) -> Used:
    """A month's usage as a statement shows it."""
    query = UsageQuery(month.start, month.end, ("model", "status"))
    groups, _ = usage.groups(org_id, query, limit=_ALL)
    models: defaultdict[str, Sums] = defaultdict(lambda: NOTHING)
    memory = corrections = NOTHING
    for group in groups:
        if group.key["status"] == "correction":
            corrections += group.sums
        elif group.key["model"] == MEMORY_MODEL:
            memory += group.sums
        else:
            models[group.key["model"] or ""] += group.sums
    direct = sum(group.sums.direct_micros for group in groups)
    return Used(sorted(models.items()), memory, corrections, direct)


def overview(organization: Organization) -> Overview:
    """The running month: what the plan includes, what is used, and where it leads at this pace."""
    month, now = this_month(), clock.now()
    spent = used(organization.ref.id, month)
    whole = usage.totals(organization.ref.id, UsageQuery(month.start, month.end))
    begun = max(month.start, organization.created_at)
    limits = plans.limits(organization)

    def meter(included: int | None, count: int) -> Meter:
        return Meter(included, count, _projected(count, begun, now, month))

    operations = meter(limits.memory_operations, whole.memory_operations)
    overage = spent.memory.charged_micros
    calls = whole.charged_micros - overage - spent.direct_micros
    bill = statement(organization, month)
    fixed = sum(line.amount_micros for line in bill.lines if line.kind in (LineKind.PLAN, LineKind.CONNECTORS))
    later = fixed + _projected(calls, begun, now, month) + max(overage, _overage_ahead(organization, operations))
    price = plans.PLANS[organization.plan].price_micros
    return Overview(
        plan=organization.plan,
        month=month.name,
        first=month.first,
        last=month.last,
        base_micros=None if price is None else base_micros(organization.plan, month.days, month.days),
        calls=meter(catalogue.monthly_calls(organization), whole.calls),
        memory_operations=operations,
        usage_micros=calls,
        memory_overage_micros=overage,
        connectors=connectors.count(organization.ref),
        total_micros=bill.total_micros,
        projected_micros=later,
        alerts=alerts(month),
    )


def alerts(month: Month) -> tuple[Alert, ...]:
    """The thresholds that were reached in a month or on one of its days, newest first."""
    rows = AlertRow.objects.filter(window__startswith=month.name).order_by("-id")[:_PAGE]
    return tuple(
        Alert(row.what, row.level, row.of, row.threshold, row.window, row.limit, row.used, row.at) for row in rows
    )


def _projected(so_far: int, begun: datetime, now: datetime, month: Month) -> int:
    past = max(_LEAST_S, int((now - begun).total_seconds()))
    ahead = max(0, int((month.end - now).total_seconds()))
    return so_far + so_far * ahead // past


def _overage_ahead(organization: Organization, operations: Meter) -> int:
    each = plans.memory_overage_micros(organization)
    if each is None or operations.included is None:
        return 0
    return max(0, operations.projected - operations.included) * each
