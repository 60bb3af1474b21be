"""A month's statement, made of what was used and which plan it was used on. Pure: the selectors bring the numbers.

Every amount is exact micro-dollars (the base price of part of a month is rounded once, half up, on its own line); cents
appear once, at the total.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.platform.billing.months import Month
from gateway.platform.billing.types import LineKind, PlanPeriod, Statement, StatementLine
from gateway.platform.ledger.usage import Sums
from tenants.plans import CONNECTOR, PLANS

CSV_COLUMNS = (
    "month",
    "kind",
    "description",
    "model",
    "quantity",
    "prompt_tokens",
    "completion_tokens",
    "provider_cost_micros",
    "markup_micros",
    "amount_micros",
)


@dataclass(frozen=True, slots=True)
class Used:
    """A month's usage, split so that nothing is in two parts: models (without corrections), memory operations,
    corrections, and over all of them what went to the organization's own providers."""

    models: Sequence[tuple[str, Sums]]
    memory: Sums
    corrections: Sums
    direct_micros: int


def compose(month: Month, *, is_open: bool, periods: Sequence[PlanPeriod], connectors: int, used: Used) -> Statement:
    """The statement of these numbers."""
    lines = [_plan_line(month, period) for period in periods]
    if connectors:
        lines.append(StatementLine(LineKind.CONNECTORS, "Connectors", connectors, connectors * CONNECTOR))
    lines += [_usage_line(LineKind.USAGE, model, model or None, sums) for model, sums in used.models]
    if used.memory.memory_operations:
        lines.append(
            StatementLine(
                LineKind.MEMORY,
                "Memory operations; what the plan includes is free",
                used.memory.memory_operations,
                used.memory.charged_micros,
            )
        )
    if used.corrections.charged_micros or used.corrections.calls:
        lines.append(_usage_line(LineKind.CORRECTIONS, "Corrections of estimated calls", None, used.corrections))
    if used.direct_micros:
        lines.append(StatementLine(LineKind.DIRECT, "Paid to your own providers directly", 0, -used.direct_micros))
    return Statement(month.name, is_open, tuple(lines))


def base_micros(plan: str, days: int, of_days: int) -> int:
    """The base price of some days of a month, rounded half up; 0 for a plan whose price is agreed elsewhere."""
    return ((PLANS[plan].price_micros or 0) * days * 2 + of_days) // (of_days * 2)


def as_csv(statement: Statement) -> str:
    """The lines, then the total. Amounts are micro-dollars, so that columns can be added up without rounding."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    for line in statement.lines:
        row = {"month": statement.month, **{name: getattr(line, name, None) for name in CSV_COLUMNS if name != "month"}}
        writer.writerow(["" if row[name] is None else safe_cell(row[name]) for name in CSV_COLUMNS])
    cents = statement.total_cents
    total = f"{'-' if cents < 0 else ''}${abs(cents) // 100}.{abs(cents) % 100:02d}"
    writer.writerow([statement.month, "total", total, "", "", "", "", "", "", statement.total_micros])
    return text.getvalue()


def safe_cell(value: object) -> object:
    """A text that no spreadsheet takes for a formula; numbers stay numbers."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _plan_line(month: Month, period: PlanPeriod) -> StatementLine:
    span = f"{period.first.isoformat()} to {period.last.isoformat()}"
    agreed = " (agreed by contract)" if PLANS[period.plan].price_micros is None else ""
    amount = base_micros(period.plan, period.days, month.days)
    return StatementLine(LineKind.PLAN, f"{period.plan.title()} plan, {span}{agreed}", period.days, amount)


def _usage_line(kind: LineKind, description: str, model: str | None, sums: Sums) -> StatementLine:
    return StatementLine(
        kind,
        description or "Calls that named no model",
        sums.calls,
        sums.charged_micros,
        model,
        sums.prompt_tokens,
        sums.completion_tokens,
        sums.provider_cost_micros,
        sums.markup_micros,
    )
