"""Models whose price nobody knows, under a hard budget: what they cost could not be held against it, so they are not
asked."""

from __future__ import annotations

from dataclasses import replace

from gateway.core.endpoint import Call
from gateway.core.errors import PaymentRequired
from gateway.engine.routing import Plan
from gateway.engine.routing.types import LeftOut
from gateway.platform.admission import rules
from gateway.platform.providers import own_prices, prices
from gateway.platform.providers.entries import Route
from tenants.types import Organization


class ModelUnpriced(PaymentRequired):
    default_code = "model_unpriced"


def guarded(call: Call, plan: Plan, *, subject_id: str | None) -> Plan:
    """The plan without targets that no price is known of, where a hard budget applies to the caller; elsewhere the plan
    as it is. No I/O. Raises ModelUnpriced when no target is left."""
    if not rules.of(call.principal, subject_id).guards_money:
        return plan
    organization = call.principal.organization
    routes = tuple(route for route in plan.routes if is_priced(organization, route))
    if len(routes) == len(plan.routes):
        return plan
    unpriced = [route.name for route in plan.routes if route not in routes]
    if not routes:
        call.decided("price", "refused", code=ModelUnpriced.default_code, models=unpriced)
        raise ModelUnpriced(
            f"Nobody knows what {', '.join(unpriced)} costs, and a hard budget applies to this call. Set its price "
            "(PUT /v1/prices/{model}), or use a model that has one.",
            extra={"param": "model", "models": unpriced},
        )
    left_out = (LeftOut(name, ModelUnpriced.default_code) for name in unpriced)
    return replace(plan, routes=routes, left_out=(*plan.left_out, *left_out))


def is_priced(organization: Organization, route: Route) -> bool:
    """Whether a target's price is known, be it nothing; the organization's own price counts."""
    return prices.rates(route.entry.price_as, route.model, own_prices.of(organization, route.name)) is not None
