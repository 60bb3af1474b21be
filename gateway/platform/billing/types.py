"""Plans, statements and alerts as other slices see them. Money is integer micro-dollars, days and months are UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from gateway.core import ids


class LineKind(StrEnum):
    """What a line of a statement is for. ``direct`` gives back what the organization paid its provider itself."""

    PLAN = "plan"
    CONNECTORS = "connectors"
    USAGE = "usage"
    MEMORY = "memory"
    CORRECTIONS = "corrections"
    DIRECT = "direct"


@dataclass(frozen=True, slots=True)
class PlanPeriod:
    """Days (``last`` included) of one month on one plan."""

    plan: str
    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line. ``quantity`` counts days, calls, operations or connectors; the money fields below the amount are what
    it is made of and None where there is nothing to take apart."""

    kind: LineKind
    description: str
    quantity: int
    amount_micros: int
    model: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    provider_cost_micros: int | None = None
    markup_micros: int | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """A month's lines and their sum. ``total_cents`` is that sum rounded once, half up. ``open``: the month goes on."""

    month: str
    open: bool
    lines: tuple[StatementLine, ...]

    @property
    def total_micros(self) -> int:
        return sum(line.amount_micros for line in self.lines)

    @property
    def total_cents(self) -> int:
        return (self.total_micros + 5_000) // 10_000


@dataclass(frozen=True, slots=True)
class Meter:
    """How much of what a plan includes (None: unlimited) is used, and what is beyond it. ``projected`` is the use to be
    expected by the month's end at the pace so far."""

    included: int | None
    used: int
    projected: int

    @property
    def overage(self) -> int:
        return max(0, self.used - self.included) if self.included is not None else 0


@dataclass(frozen=True, slots=True)
class Alert:
    """A threshold that was reached: ``threshold`` percent of ``limit`` in ``window`` (a month or a day)."""

    what: str
    level: str
    of: str
    threshold: int
    window: str
    limit: int
    used: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Overview:
    """The running month of one organization."""

    plan: str
    month: str
    first: date
    last: date
    base_micros: int | None
    calls: Meter
    memory_operations: Meter
    usage_micros: int
    memory_overage_micros: int
    connectors: int
    total_micros: int
    projected_micros: int
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """A provider's bill beside the ledger. ``result`` is there once it is ``done``; ``error`` when it failed."""

    id: UUID
    created_at: datetime
    state: str
    provider: str
    export: str
    first: date | None
    last: date | None
    rows: int
    result: dict[str, Any] | None
    error: str | None
    created_by: str

    @property
    def public_id(self) -> str:
        return ids.public("rcn", self.id)
