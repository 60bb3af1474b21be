"""Shapes of `/v1/billing`, `/v1/prices` and `/v1/reconciliations`. Money is micro-dollars unless it says dollars."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from ninja import Field, Schema
from pydantic import ConfigDict

from gateway.core.wire import Flag
from gateway.platform.billing.types import Meter, Overview, Reconciliation, Statement
from tenants.plans import CONNECTOR, Plan

_Dollars = Annotated[Decimal, Field(ge=0, le=100_000, decimal_places=6, description="Dollars per million tokens.")]


class BillingPlanOut(Schema):
    """One plan. Null is unlimited; a null price is agreed by contract; a null overage is refused instead of sold."""

    name: str
    price_micros_per_month: int | None
    calls_per_month: int | None
    personas: int | None
    memories_per_subject: int | None
    memory_operations_per_month: int | None
    memory_overage_micros: int | None
    connector_micros_per_month: int
    rate: dict[str, int]
    features: list[str]

    @classmethod
    def of(cls, plan: Plan) -> BillingPlanOut:
        return cls(
            name=plan.name,
            price_micros_per_month=plan.price_micros,
            calls_per_month=plan.calls,
            personas=plan.personas,
            memories_per_subject=plan.memories,
            memory_operations_per_month=plan.memory_operations,
            memory_overage_micros=plan.memory_overage_micros,
            connector_micros_per_month=CONNECTOR,
            rate={"limit": plan.rate, "window_s": plan.rate_window_s},
            features=sorted(plan.features),
        )


class BillingPlansOut(Schema):
    """All of them, the smallest first; there is never a next page."""

    data: list[BillingPlanOut]
    next_cursor: None = None


class BillingMeterOut(Schema):
    """`included` null: unlimited. `projected` is the use to be expected by the month's end at this pace."""

    included: int | None
    used: int
    overage: int
    projected: int

    @classmethod
    def of(cls, meter: Meter) -> BillingMeterOut:
        return cls(included=meter.included, used=meter.used, overage=meter.overage, projected=meter.projected)


class BillingAlertOut(Schema):
    """A threshold, in percent, that was reached. `of` is the key, person or subject whose budget it is."""

    what: str
    level: str
    of: str | None
    threshold: int
    window: str
    limit: int
    used: int
    at: datetime


class BillingOut(Schema):
    """The running month. `usage_micros` is what calls cost, without what went to your own providers directly."""

    plan: str
    month: str
    period: dict[str, date]
    base_price_micros: int | None
    calls: BillingMeterOut
    memory_operations: BillingMeterOut
    usage_micros: int
    memory_overage_micros: int
    connectors: int
    total_micros: int
    projected_micros: int
    alerts: list[BillingAlertOut]

    @classmethod
    def of(cls, found: Overview) -> BillingOut:
        return cls(
            plan=found.plan,
            month=found.month,
            period={"from": found.first, "to": found.last},
            base_price_micros=found.base_micros,
            calls=BillingMeterOut.of(found.calls),
            memory_operations=BillingMeterOut.of(found.memory_operations),
            usage_micros=found.usage_micros,
            memory_overage_micros=found.memory_overage_micros,
            connectors=found.connectors,
            total_micros=found.total_micros,
            projected_micros=found.projected_micros,
            alerts=[
                BillingAlertOut(
                    what=one.what, level=one.level, of=one.of or None, threshold=one.threshold, window=one.window,
                    limit=one.limit, used=one.used, at=one.at,
                )
                for one in found.alerts
            ],
        )  # fmt: skip


class PlanChangeIn(Schema):
    model_config = ConfigDict(extra="forbid")

    plan: str = Field(min_length=1, max_length=20)
    preview: Flag = Field(False, description="Only say what would change; nothing does.")


class PlanBreakOut(Schema):
    """Something that the organization has and the plan does not cover. It stays, and stops growing or working."""

    what: str
    have: int
    included: int
    detail: str


class PlanChangeOut(Schema):
    """`changed` is false for a preview, and for the plan that it was on already."""

    before: BillingPlanOut
    after: BillingPlanOut
    preview: bool
    changed: bool
    breaks: list[PlanBreakOut]


class StatementLineOut(Schema):
    """`quantity` counts days (plan), connectors, calls or memory operations."""

    kind: Literal["plan", "connectors", "usage", "memory", "corrections", "direct"]
    description: str
    quantity: int
    amount_micros: int
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    provider_cost_micros: int | None
    markup_micros: int | None


class StatementOut(Schema):
    """The lines add up to `total_micros`; `total_cents` is that sum rounded once, half up. An open month goes on."""

    month: str
    state: Literal["open", "closed"]
    currency: Literal["USD"] = "USD"
    lines: list[StatementLineOut]
    total_micros: int
    total_cents: int

    @classmethod
    def of(cls, found: Statement) -> StatementOut:
        return cls(
            month=found.month,
            state="open" if found.open else "closed",
            lines=[
                StatementLineOut(**{name: getattr(line, name) for name in StatementLineOut.model_fields})
                for line in found.lines
            ],
            total_micros=found.total_micros,
            total_cents=found.total_cents,
        )


class PriceIn(Schema):
    """What a model costs you, in dollars per million tokens. Cached tokens cost the prompt's price unless said."""

    model_config = ConfigDict(extra="forbid")

    prompt: _Dollars
    completion: _Dollars
    cached: _Dollars | None = None
    cache_write: _Dollars | None = None


class PriceTierOut(Schema):
    """Above so many prompt tokens all tokens of a call cost this."""

    above_prompt_tokens: int
    price: str


class PriceRatesOut(Schema):
    """Dollars per million tokens, before the markup."""

    prompt: str
    completion: str
    cached: str
    cache_write: str
    tiers: dict[str, list[PriceTierOut]] = {}
    version: str


class PriceOut(Schema):
    """`list` is the price list's, `own` the organization's; `in_force` is the one that the next call is charged by,
    null for a model without a price (`unpriced`)."""

    model: str
    unpriced: bool
    in_force: PriceRatesOut | None
    list: PriceRatesOut | None
    own: PriceRatesOut | None
    markup_percent: int


class PricesOut(Schema):
    """The organization's own prices: there are at most 200, so there is never a next page."""

    data: list[PriceOut]
    next_cursor: None = None


class ReconciliationIn(Schema):
    """A provider's export, and whose it is where it does not say so itself."""

    model_config = ConfigDict(extra="forbid", strict=True)

    csv: str = Field(min_length=1, max_length=16 * 1024 * 1024)
    provider: str | None = Field(None, min_length=1, max_length=64)


class ReconciliationOut(Schema):
    """A provider's bill beside the ledger. `result` has `totals`, `groups` by day and model, each with its verdict, and
    `calls` where the export names them."""

    id: str
    created_at: datetime
    created_by: str
    state: Literal["queued", "done", "failed"]
    provider: str
    export: str
    from_: date | None = Field(None, alias="from")
    to: date | None
    rows: int
    totals: dict[str, int | None] | None
    error: str | None

    @classmethod
    def fields_of(cls, found: Reconciliation) -> dict[str, Any]:
        return {
            "id": found.public_id,
            "created_at": found.created_at,
            "created_by": found.created_by,
            "state": found.state,
            "provider": found.provider,
            "export": found.export,
            "from": found.first,
            "to": found.last,
            "rows": found.rows,
            "totals": found.result["totals"] if found.result else None,
            "error": found.error,
        }


class ReconciliationDetailOut(ReconciliationOut):
    groups: list[dict[str, Any]] = []
    calls: dict[str, Any] | None = None


class ReconciliationPageOut(Schema):
    data: list[ReconciliationOut]
    next_cursor: str | None
