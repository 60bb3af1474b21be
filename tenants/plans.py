"""The four plans of the price list and what each includes. ``None`` means unlimited."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gateway.core.errors import BadRequest
from tenants.types import Organization


@dataclass(frozen=True, slots=True)
class Plan:
    """``calls`` per UTC calendar month; ``memories`` per subject; ``rate`` in requests per ``rate_window_s``
    seconds."""

    name: str
    calls: int | None
    personas: int | None
    memories: int | None
    rate: int
    rate_window_s: int
    features: frozenset[str]


_PRO = frozenset({"enable_webhooks", "enable_mcp_adapter"})
_BUSINESS = _PRO | {"enable_audit_api", "policy_overlays", "sso"}

# Business's memories per subject: the price list is silent, so it is Pro's (ADR to follow with the Memory Vault).
PLANS = {
    "free": Plan("free", 1_000, 1, 100, 60, 60, frozenset()),
    "pro": Plan("pro", 50_000, None, 10_000, 600, 60, _PRO),
    "business": Plan("business", 500_000, None, 10_000, 6_000, 60, _BUSINESS),
    "enterprise": Plan("enterprise", None, None, None, 60_000, 60, _BUSINESS),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What applies to one organization: its plan with the operator's overrides on top."""

    calls: int | None
    personas: int | None
    memories: int | None
    rate: int
    rate_window_s: int


OVERRIDABLE = ("calls", "personas", "memories", "rate", "rate_window_s")


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
