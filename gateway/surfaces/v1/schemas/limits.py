"""What ``/v1/limits`` takes and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from ninja import Field, Schema
from pydantic import ConfigDict

from gateway.core.wire import Flag, Moment, Whole
from tenants.rules import LimitRule

_MOST = 2**53 - 1
_Limit = Annotated[Whole, Field(ge=1, le=_MOST)]
Window = Whole | Literal["day", "month"]


class RateNowOut(Schema):
    """Requests or tokens in a window. ``scope`` is whose limit it is, ``rule_id`` the organization's own rule."""

    scope: str
    kind: Literal["requests", "tokens"]
    rule_id: str | None
    limit: int
    window_s: int
    remaining: int
    reset_s: float
    reset_at: datetime
    shadow: bool


class ConcurrencyNowOut(Schema):
    """Calls under way at once."""

    scope: str
    rule_id: str
    limit: int
    open: int
    remaining: int
    shadow: bool


class QuotaNowOut(Schema):
    scope: str
    unit: str
    limit: int | None
    used: int
    reset_at: datetime


class BudgetNowOut(Schema):
    """Micro-dollars. ``reserved_micros`` is held for calls under way. ``reset_at`` is null for a token's budget."""

    scope: str
    key_id: str | None
    rule_id: str | None
    limit_micros: int
    spent_micros: int
    reserved_micros: int
    remaining_micros: int
    window: str
    reset_at: datetime | None
    hard: bool
    shadow: bool


class LimitsOut(Schema):
    """What is left. ``spent_micros`` is the organization's in this UTC month."""

    rates: list[RateNowOut]
    concurrency: list[ConcurrencyNowOut]
    quotas: list[QuotaNowOut]
    budgets: list[BudgetNowOut]
    spent_micros: int


class LimitRuleIn(Schema):
    """``limit`` is requests, tokens, calls at once or micro-dollars, by ``kind``. ``window`` is seconds for requests
    and tokens, ``day`` or ``month`` for a budget, and left out for concurrency. Only a budget may be soft (``hard``
    false: reported, never refused). A ``shadow`` rule of any kind only reports."""

    model_config = ConfigDict(extra="forbid")

    level: Literal["organization", "key", "user", "subject"]
    kind: Literal["requests", "tokens", "concurrency", "budget"]
    limit: _Limit
    window: Window | None = None
    hard: Flag = True
    shadow: Flag = False


class LimitRulePatchIn(Schema):
    model_config = ConfigDict(extra="forbid")

    limit: _Limit | None = None
    window: Window | None = None
    hard: Flag | None = None
    shadow: Flag | None = None


class LimitRaiseIn(Schema):
    """A higher limit until a moment at most 31 days away."""

    model_config = ConfigDict(extra="forbid")

    limit: _Limit
    until: Moment


class LimitRuleOut(Schema):
    """``limit_now`` is the limit in force, raised or not."""

    id: str
    level: str
    kind: str
    limit: int
    window: int | str | None
    hard: bool
    shadow: bool
    raised_limit: int | None
    raised_until: datetime | None
    limit_now: int

    @classmethod
    def of(cls, rule: LimitRule, now: datetime) -> LimitRuleOut:
        return cls(
            id=rule.id, level=rule.level, kind=rule.kind, limit=rule.limit, window=rule.window or None, hard=rule.hard,
            shadow=rule.shadow, raised_limit=rule.raised_limit, raised_until=rule.raised_until,
            limit_now=rule.limit_at(now),
        )  # fmt: skip


class LimitRulesOut(Schema):
    data: list[LimitRuleOut]
    next_cursor: str | None = None
