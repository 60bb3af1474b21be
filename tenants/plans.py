"""The four plans of the price list and what each includes. ``None`` means unlimited; money is micro-dollars."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gateway.core.errors import BadRequest
from tenants.types import Organization


@dataclass(frozen=True, slots=True)
class Plan:
    """``calls`` and ``memory_operations`` per UTC calendar month; ``memories`` per subject; ``rate`` in requests per
    ``rate_window_s`` seconds. ``price_micros`` is a month's, None where it is agreed by contract;
    ``memory_overage_micros`` is what an operation beyond the included ones costs, None where it is refused."""

    name: str
    calls: int | None
    personas: int | None
    memories: int | None
    rate: int
    rate_window_s: int
    features: frozenset[str]
    price_micros: int | None
    memory_operations: int | None
    memory_overage_micros: int | None


_PRO = frozenset({"enable_webhooks", "enable_mcp_adapter"})
_BUSINESS = _PRO | {"enable_audit_api", "policy_overlays", "sso"}

DOLLAR = 1_000_000
# One memory operation beyond the plan, and one connector that is not included, a month.
MEMORY_OVERAGE = DOLLAR // 1_000
CONNECTOR = 10 * DOLLAR

# Where the price list is silent (ADR-0028): Business has Pro's memories per subject, and every plan includes as many
# memory operations as calls.
PLANS = {
    "free": Plan("free", 1_000, 1, 100, 60, 60, frozenset(), 0, 1_000, None),
    "pro": Plan("pro", 50_000, None, 10_000, 600, 60, _PRO, 49 * DOLLAR, 50_000, MEMORY_OVERAGE),
    "business": Plan("business", 500_000, None, 10_000, 6_000, 60, _BUSINESS, 199 * DOLLAR, 500_000, MEMORY_OVERAGE),
    "enterprise": Plan("enterprise", None, None, None, 60_000, 60, _BUSINESS, None, None, MEMORY_OVERAGE),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What applies to one organization: its plan with the operator's overrides on top."""

    calls: int | None
    personas: int | None
    memories: int | None
    rate: int
    rate_window_s: int
    memory_operations: int | None


OVERRIDABLE = ("calls", "personas", "memories", "rate", "rate_window_s", "memory_operations")


def get(name: str) -> Plan:
    """The plan of this name. Raises BadRequest for an unknown one."""
    try:
        return PLANS[name]
    except KeyError:
        raise BadRequest(f"There is no plan {name!r}; choose one of {', '.join(PLANS)}.", code="unknown_plan") from None


def limits(organization: Organization) -> Limits:
    """The limits in force for an organization."""
    return _limits(organization.plan, tuple(organization.limits.items()))


@lru_cache(maxsize=1024)
def _limits(plan: str, overrides: tuple[tuple[str, Any], ...]) -> Limits:
    values: dict[str, Any] = {name: getattr(PLANS[plan], name) for name in OVERRIDABLE}
    values.update({name: value for name, value in overrides if name in OVERRIDABLE})
    return Limits(**values)


def memory_overage_micros(organization: Organization) -> int | None:
    """What a memory operation beyond the included ones costs this organization; None: it is refused, because the plan
    sells none or the organization wants it so."""
    if organization.settings.memory_hard_cap:
        return None
    return PLANS[organization.plan].memory_overage_micros
