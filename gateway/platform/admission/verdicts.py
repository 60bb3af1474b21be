"""A script's answer as an admission or as the error that says which limit refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.platform.admission.errors import BudgetUnknown, OverBudget, RateLimited
from gateway.platform.admission.limits import CALLS, Kind, Level, LimitState, of_calls, tightest, window_end

Refusal = RateLimited | OverBudget | BudgetUnknown
_CODES = {
    Kind.REQUESTS: "rate_limited",
    Kind.TOKENS: "token_rate_limited",
    Kind.CONCURRENCY: "concurrency_limited",
    Kind.BUDGET: "budget_exceeded",
    CALLS: "quota_exceeded",
}
# How long until asking again is worth while after the store was emptied.
_UNKNOWN_RETRY_S = 2.0


def facts_of(states: Sequence[LimitState], now: datetime) -> dict[str, Any]:
    """The decision record's line about limits: the request rate that is nearest, the month's calls, the budgets, and
    what a limit that only reports would have refused."""
    told: dict[str, Any] = {}
    if (nearest := tightest(states)) is not None:
        told["limit"] = nearest.facts()
    if (calls := of_calls(states)) is not None:
        told["quota"] = quota_facts(calls, now)
    others = [s for s in states if s.limit.kind not in (Kind.REQUESTS, CALLS) or (s.refuses and s.limit.reports)]
    if others:
        told["limits"] = [s.facts() for s in others if not (s.refuses and s.limit.reports)]
        told["would_refuse"] = [s.facts() for s in others if s.refuses and s.limit.reports]
    return told


def quota_facts(calls: LimitState, now: datetime) -> dict[str, Any]:
    ends = window_end("month", now).isoformat()
    return {"scope": "organization", "limit": calls.limit.limit, "used": calls.used, "reset_at": ends}


def refusal(states: Sequence[LimitState], by: LimitState, scope: str, now: datetime) -> Refusal:
    """The error for a refusal by one limit."""
    limit = by.limit
    extra: dict[str, Any] = {"limit": by.facts()}
    if (calls := of_calls(states)) is not None:
        extra["quota"] = quota_facts(calls, now)
    would = [state.facts() for state in states if state.refuses and state.limit.reports]
    if would:
        extra["would_refuse"] = would
    error: Refusal
    if by.unknown:
        error = BudgetUnknown(
            "What was spent is being put back together after a loss; a hard budget waits for it.",
            retry_after=_UNKNOWN_RETRY_S, extra=extra,
        )  # fmt: skip
    elif limit.kind in (CALLS, Kind.BUDGET):
        error = OverBudget(_money(by, scope, now), code=_CODES[limit.kind], extra=extra)
    else:
        error = RateLimited(_rate(by, scope), code=_CODES[limit.kind], retry_after=max(by.retry_s, 0.001), extra=extra)
    error.states = states
    return error


def _whose(limit_level: str, scope: str) -> str:
    return scope if limit_level == Level.ORGANIZATION else limit_level


def _money(by: LimitState, scope: str, now: datetime) -> str:
    limit = by.limit
    if limit.kind == CALLS:
        ends = window_end("month", now)
        return f"The plan's {limit.limit} calls of this month are used up; the next month begins {ends:%Y-%m-%d}."
    dollars = f"${(limit.limit or 0) / 1_000_000:,.6f}".rstrip("0").rstrip(".")
    of_what = "its life" if limit.window == "life" else f"this {limit.window}"
    return (
        f"This {_whose(limit.level, scope)}'s budget of {dollars} for {of_what} does not cover the call: "
        f"{by.used} micro-dollars are spent and {by.held} are held for calls under way."
    )


def _rate(by: LimitState, scope: str) -> str:
    limit, who = by.limit, _whose(by.limit.level, scope)
    if limit.kind == Kind.CONCURRENCY:
        return f"This {who} may have {limit.limit} calls under way at once."
    unit = "tokens" if limit.kind == Kind.TOKENS else "requests"
    return f"This {who} may send {limit.limit} {unit} in {limit.window} s."


def moment(now_ms: int) -> datetime:
    """The store's clock as a moment."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=now_ms)
