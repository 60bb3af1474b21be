"""A statement is the sum of the ledger's rows, of the export and of the usage, to the micro-dollar."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.journal import OPERATOR
from gateway.platform.billing import connectors, selectors, services
from gateway.platform.billing.errors import InvalidMonth, PlanByArrangement
from gateway.platform.billing.months import Month, PlanChange, parse, plan_periods, this_month
from gateway.platform.billing.statement import as_csv, base_micros
from gateway.platform.billing.types import LineKind
from gateway.platform.ledger import exporting, usage
from gateway.platform.ledger.exporting import ExportQuery
from gateway.platform.ledger.usage import UsageQuery
from tenants import services as tenants
from tenants.context import scope
from tenants.plans import DOLLAR
from tests.platform.billing.support import organization, put
from tests.platform.ledger.support import arrival, estimated, memory, request_id_at

_MONTHS = (Month(date(2020 + number // 12, number % 12 + 1, 1)) for number in count())
_entry = st.tuples(
    st.booleans(),
    st.sampled_from(["settled", "settled", "memory", "corrected", "estimated"]),
    st.integers(0, 27 * 24 * 60),
    st.sampled_from(["openai/a", "anthropic/b", "own/c"]),
    st.integers(0, 10**9),
    st.integers(0, 10**7),
)


def _arrivals(org_id: Any, kind: str, at: Any, model: str, cost: int, markup: int) -> list[Any]:
    facts: dict[str, Any] = {
        "model": model,
        "provider": model.partition("/")[0],
        "provider_cost_micros": cost,
        "markup_micros": markup,
        "charged_micros": cost + markup,
        "own_credential": model == "own/c",
    }
    if kind == "memory":
        return [memory(org_id, at, operations=1 + cost % 5, overage_micros=markup % 5000)]
    if kind == "settled":
        return [arrival(org_id, at, **facts)]
    lost = estimated(org_id, at, micros=cost + 11, model=model)
    return [lost] if kind == "estimated" else [lost, arrival(org_id, at, late=True, **facts)]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=st.lists(_entry, min_size=1, max_size=10))
def test_statement__any_entries_of_two_organizations__is_rows_and_csv_and_usage(
    acme: Any, globex: Any, entries: list[Any]
) -> None:
    month = next(_MONTHS)
    for mine, kind, minute, model, cost, markup in entries:
        at = request_id_at(month.start + timedelta(minutes=minute))
        for one in _arrivals((acme if mine else globex).id, kind, at, model, cost, markup):
            put(one)
    for ref in (acme, globex):
        with scope(ref):
            found = selectors.statement(organization(ref), month)
            rows, _ = exporting.batch(ref.id, ExportQuery(month.start, month.end))
            totals = usage.totals(ref.id, UsageQuery(month.start, month.end))
        charged = sum(row["charged_micros"] for row in rows)
        direct = sum(row["provider_cost_micros"] for row in rows if row["own_credential"])
        assert found.total_micros == sum(line.amount_micros for line in found.lines) == charged - direct
        assert (totals.charged_micros, totals.direct_micros) == (charged, direct)
        *lines, total = csv.DictReader(io.StringIO(as_csv(found)))
        assert sum(int(line["amount_micros"]) for line in lines) == int(total["amount_micros"]) == found.total_micros
        by_kind = {kind: sum(one.amount_micros for one in found.lines if one.kind is kind) for kind in LineKind}
        assert by_kind[LineKind.CORRECTIONS] == sum(r["charged_micros"] for r in rows if r["state"] == "correction")
        assert by_kind[LineKind.MEMORY] == sum(r["charged_micros"] for r in rows if r["memory_operations"])
        for line in found.lines:
            if line.kind is LineKind.USAGE:
                of = [r for r in rows if r["model"] == line.model and r["state"] != "correction"]
                assert line.amount_micros == sum(r["charged_micros"] for r in of)
                assert line.amount_micros == (line.provider_cost_micros or 0) + (line.markup_micros or 0)
        assert abs(found.total_cents * 10_000 - found.total_micros) <= 5_000


def test_statement__plan_changed_by_whoever__is_in_the_history_and_the_running_months_price(acme: Any) -> None:
    month = this_month()
    with scope(acme):
        tenants.plan_set(acme, "free", actor=OPERATOR)
        services.change_plan(acme, "pro", actor=OPERATOR)
        services.change_plan(acme, "pro", actor=OPERATOR)
        changes = [(one.before, one.after) for one in selectors.plan_changes()]
        found = selectors.statement(organization(acme), month)
    assert changes == [("business", "free"), ("free", "pro")]
    [plan] = [line for line in found.lines if line.kind is LineKind.PLAN]
    days = (month.last - datetime.now(UTC).date()).days + 1
    assert (plan.quantity, plan.amount_micros) == (days, base_micros("pro", days, month.days))
    assert found.open


def test_change_plan__to_one_without_a_price__changes_nothing(acme: Any) -> None:
    with scope(acme), pytest.raises(PlanByArrangement):
        services.change_plan(acme, "enterprise", actor=OPERATOR)
    with scope(acme):
        assert organization(acme).plan == "business"
        assert selectors.plan_changes() == []


def test_connectors__that_somebody_counts__are_ten_dollars_each(acme: Any, counted: None) -> None:
    with scope(acme):
        found = selectors.statement(organization(acme), this_month())
    [line] = [line for line in found.lines if line.kind is LineKind.CONNECTORS]
    assert (line.quantity, line.amount_micros) == (3, 30 * DOLLAR)


@pytest.fixture
def counted() -> Iterator[None]:
    before = connectors._count
    connectors.fill(lambda ref: 3)
    yield
    connectors.fill(before)


def _at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 6, day, hour, tzinfo=UTC)


def test_plan_periods__changes_within_the_month__split_it_by_days() -> None:
    month = Month(date(2026, 6, 1))
    changes = [
        PlanChange(_at(11), "free", "pro"),
        PlanChange(_at(21, 1), "pro", "free"),
        PlanChange(_at(21, 2), "free", "business"),
    ]
    found = plan_periods(month, since=date(2026, 1, 5), plan="business", changes=changes)
    assert [(one.plan, one.first.day, one.last.day, one.days) for one in found] == [
        ("free", 1, 10, 10),
        ("pro", 11, 20, 10),
        ("business", 21, 30, 10),
    ]
    assert [base_micros(one.plan, one.days, month.days) for one in found] == [0, 16_333_333, 66_333_333]
    assert [
        one.plan
        for one in plan_periods(Month(date(2026, 5, 1)), since=date(2026, 1, 5), plan="business", changes=changes)
    ] == ["free"]
    late = plan_periods(month, since=date(2026, 6, 28), plan="business", changes=[])
    assert [(one.plan, one.days) for one in late] == [("business", 3)]
    assert plan_periods(month, since=date(2026, 7, 1), plan="business", changes=[]) == ()


def test_base_micros__whole_months__are_the_price_list() -> None:
    assert [base_micros(plan, 31, 31) // DOLLAR for plan in ("free", "pro", "business", "enterprise")] == [
        0,
        49,
        199,
        0,
    ]


@pytest.mark.parametrize("text", ["2026-13", "26-01", "2026-1", "", "2099-01", "2026-01-01", "١٢٣٤-٠١"])
def test_parse__no_month_that_has_begun__is_refused(text: str) -> None:
    with pytest.raises(InvalidMonth):
        parse(text)
