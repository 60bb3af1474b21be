"""The feature flags: code defaults, what a plan includes, and the clamp of every number. Runs with no flag provider at
all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.core.errors import BadRequest
from tenants import plans
from tenants.types import Organization


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag. ``default`` is the code's; ``least``/``most`` clamp a number; ``purpose`` is shown to people."""

    key: str
    default: bool | int
    purpose: str
    least: int = 0
    most: int = 100_000_000


FLAGS = {
    flag.key: flag
    for flag in (
        Flag("enable_gateway_api", False, "Master switch for public API endpoints"),
        Flag("enable_mcp_adapter", False, "MCP tool exposure"),
        Flag("enable_precompose", False, "Prompt-pack export endpoint"),
        Flag("enable_proposals", False, "Write proposal system (approve/reject)"),
        Flag("enable_webhooks", False, "Webhook delivery system"),
        Flag("gateway_rate_limit_free", 1_000, "Monthly call limit for Free API tier"),
        Flag("gateway_rate_limit_pro", 50_000, "Monthly call limit for Pro tier"),
        Flag("gateway_rate_limit_business", 500_000, "Monthly call limit for Business tier"),
        Flag("enable_audit_api", False, "Audit event query endpoint"),
        Flag("enable_multi_tenancy", False, "Org-level isolation and API key scoping"),
        Flag("sso", False, "Single sign-on for the organization's members"),
    )
}

# What provisioning turns on for every organization; the rest comes with the plan.
PROVISIONED = {
    "enable_gateway_api": True,
    "enable_proposals": True,
    "enable_precompose": True,
    "enable_multi_tenancy": True,
}


def value(organization: Organization, key: str) -> bool | int:
    """A flag's value for one organization: its own override, else what its plan includes, else the code default."""
    flag = FLAGS[key]
    if key in organization.flags:
        return clamp(flag, organization.flags[key])
    if key in plans.PLANS[organization.plan].features:
        return True
    return flag.default


def source(organization: Organization, key: str) -> str:
    """Where ``value`` comes from: ``organization``, ``plan`` or ``default``."""
    if key in organization.flags:
        return "organization"
    return "plan" if key in plans.PLANS[organization.plan].features else "default"


def monthly_calls(organization: Organization) -> int | None:
    """Calls per UTC month: the operator's limit, else the plan's flag, else the plan. None is unlimited."""
    if "calls" in organization.limits:
        limit: int | None = organization.limits["calls"]
        return limit
    key = f"gateway_rate_limit_{organization.plan}"
    return int(value(organization, key)) if key in FLAGS else plans.PLANS[organization.plan].calls


def needs_plan(key: str) -> str | None:
    """The cheapest plan that includes a flag, or None when no plan does."""
    return next((plan.name for plan in plans.PLANS.values() if key in plan.features), None)


def parse(key: str, text: str) -> Any:
    """A flag's value from an operator's words: on/off, or a number within its range; ``default`` removes the
    override."""
    flag = FLAGS.get(key)
    if flag is None:
        raise BadRequest(f"There is no flag {key!r}; choose from {', '.join(FLAGS)}.", code="unknown_flag")
    if text == "default":
        return None
    if isinstance(flag.default, bool):
        words = {"on": True, "true": True, "off": False, "false": False}
        if text.lower() not in words:
            raise BadRequest(f"{key} is on, off or default, not {text!r}.", code="invalid_flag")
        return words[text.lower()]
    if not text.isdigit() or not flag.least <= int(text) <= flag.most:
        raise BadRequest(f"{key} is a number from {flag.least} to {flag.most}, not {text!r}.", code="invalid_flag")
    return int(text)


def clamp(flag: Flag, raw: Any) -> bool | int:
    if isinstance(flag.default, bool):
        return bool(raw)
    return min(max(int(raw), flag.least), flag.most)
