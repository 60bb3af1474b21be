"""UTC calendar months, written ``YYYY-MM``, and an organization's plan on each of their days."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from gateway.core import clock
from gateway.platform.billing.errors import InvalidMonth
from gateway.platform.billing.types import PlanPeriod

_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Month:
    """One month: ``first`` to ``last``, both included."""

    first: date

    @property
    def name(self) -> str:
        return f"{self.first:%Y-%m}"

    @property
    def after(self) -> date:
        return (self.first + timedelta(days=31)).replace(day=1)

    @property
    def last(self) -> date:
        return self.after - timedelta(days=1)

    @property
    def days(self) -> int:
        return (self.after - self.first).days

    @property
    def start(self) -> datetime:
        return datetime.combine(self.first, time(), UTC)

    @property
    def end(self) -> datetime:
        return datetime.combine(self.after, time(), UTC)


@dataclass(frozen=True, slots=True)
class PlanChange:
    """That an organization went from one plan to another."""

    at: datetime
    before: str
    after: str


def this_month() -> Month:
    """The running month."""
    return Month(clock.now().date().replace(day=1))


def parse(text: str | None) -> Month:
    """The month of ``YYYY-MM``, the running one for None. Raises InvalidMonth for anything else and for the future."""
    if text is None:
        return this_month()
    found = _MONTH.fullmatch(text)
    month = Month(date(int(found[1]), int(found[2]), 1)) if found else None
    if month is None or month.first > clock.now().date():
        raise InvalidMonth(f"{text!r} is not a month such as {this_month().name} that has begun.")
    return month


def plan_periods(month: Month, *, since: date, plan: str, changes: Sequence[PlanChange]) -> tuple[PlanPeriod, ...]:
    """The days of the month by plan, from ``since`` (when the organization was made) on. A day belongs to the plan at
    its end; days to come to ``plan``, the one of now. ``changes`` are all there were, oldest first."""
    days: list[tuple[date, str]] = []
    day = max(month.first, since)
    while day <= month.last:
        days.append((day, _plan_at(day, plan, changes)))
        day += timedelta(days=1)
    periods: list[PlanPeriod] = []
    for day, name in days:
        if periods and periods[-1].plan == name:
            periods[-1] = PlanPeriod(name, periods[-1].first, day)
        else:
            periods.append(PlanPeriod(name, day, day))
    return tuple(periods)


def _plan_at(day: date, now: str, changes: Sequence[PlanChange]) -> str:
    """The plan at the end of a day: what the next change after it came from, else the one of now."""
    later = next((change for change in changes if change.at.date() > day), None)
    return later.before if later is not None else now
