"""The feature flags: code defaults, what a plan includes, and the clamp of every number. Runs with no flag provider at
all.

``resolve`` is the one evaluation: a pure look-up in the directory's snapshot, without I/O. The hot path calls it (as
``value``); everybody else asks through OpenFeature (``gateway.platform.flags.client``), which ends here as well.
"""

from __future__ import annotations

from typing import Any

from gateway.core.errors import BadRequest
from gateway.platform.flags.types import Flag, Reason, Resolution, Setter
from tenants import plans
from tenants.directory import directory
from tenants.types import Organization

_DAY_S = 86_400

FLAGS = {
    flag.key: flag
    for flag in (
        # Not an organization's own choice: every operation of the API stands behind it, the one that would turn it on
        # again included.
        Flag("enable_gateway_api", False, "Master switch for public API endpoints", operator_only=True),
        Flag("enable_mcp_adapter", False, "MCP tool exposure"),
        Flag("enable_precompose", False, "Prompt-pack export endpoint"),
        Flag("enable_proposals", False, "Write proposal system (approve/reject)"),
        Flag("enable_webhooks", False, "Webhook delivery system"),
        Flag("gateway_rate_limit_free", 1_000, "Monthly call limit for Free API tier",
             unit="calls", operator_only=True, off=None),
        Flag("gateway_rate_limit_pro", 50_000, "Monthly call limit for Pro tier",
             unit="calls", operator_only=True, off=None),
        Flag("gateway_rate_limit_business", 500_000, "Monthly call limit for Business tier",
             unit="calls", operator_only=True, off=None),
        Flag("enable_audit_api", False, "Audit event query endpoint"),
        Flag("enable_multi_tenancy", False, "Org-level isolation and API key scoping", operator_only=True, off=None),
        Flag("cache-memory-ttl-seconds", 300, "How long a recall may be answered from the cache; 0 never",
             most=_DAY_S, unit="seconds", off=0),
        Flag("cache-llm-response-ttl-seconds", 3_600, "The longest that a stored model answer may be given again",
             most=30 * _DAY_S, unit="seconds", off=0),
        Flag("cache-response-enabled", True, "Response cache for keys and aliases that ask for it"),
        Flag("sso", False, "Single sign-on for the organization's members"),
    )
}  # fmt: skip

# What provisioning turns on for every organization; the rest comes with the plan.
PROVISIONED = {
    "enable_gateway_api": True,
    "enable_proposals": True,
    "enable_precompose": True,
    "enable_multi_tenancy": True,
}
_PLAN = Resolution(True, Reason.PLAN)
_DEFAULT = {value: Resolution(value, Reason.DEFAULT) for value in (False, True)}
_OWN = {value: Resolution(value, Reason.ORGANIZATION, Setter.ORGANIZATION) for value in (False, True)}
_GIVEN = {value: Resolution(value, Reason.ORGANIZATION, Setter.OPERATOR) for value in (False, True)}


def resolve(organization: Organization, key: str) -> Resolution:
    """A flag's value for one organization and why. In order: killed, its own choice, the operator's override, its plan,
    the code's default. Its own choice may switch off what it has, never on what it has not."""
    flag = FLAGS[key]
    if directory.killed and key in directory.killed and flag.off is not None:
        return Resolution(flag.off, Reason.KILLED)
    chosen = organization.settings.flags.get(key) if organization.settings.flags else None
    own = chosen["value"] if chosen is not None and not flag.operator_only else None
    if flag.is_number:
        return _number(organization, flag, own)
    if own is not None and (not own or may_turn_on(organization, key)):
        return _OWN[bool(own)]
    return granted(organization, key)


def granted(organization: Organization, key: str) -> Resolution:
    """What an organization has of an on/off flag before any choice of its own."""
    if key in organization.flags:
        return _GIVEN[bool(organization.flags[key])]
    if key in plans.PLANS[organization.plan].features:
        return _PLAN
    return _DEFAULT[bool(FLAGS[key].default)]


def may_turn_on(organization: Organization, key: str) -> bool:
    """Whether an on/off flag is an organization's to turn on: it has it anyway, or neither its plan nor the operator
    says otherwise."""
    return bool(granted(organization, key).value) or (key not in organization.flags and needs_plan(key) is None)


def _number(organization: Organization, flag: Flag, own: Any) -> Resolution:
    setter = Setter.ORGANIZATION
    if own is None:
        if flag.key not in organization.flags:
            return Resolution(flag.default, Reason.DEFAULT)
        own, setter = organization.flags[flag.key], Setter.OPERATOR
    within = min(max(int(own), flag.least), flag.most)
    return Resolution(within, Reason.ORGANIZATION if within == own else Reason.CLAMPED, setter)


def value(organization: Organization, key: str) -> bool | int:
    """A flag's value for one organization."""
    return resolve(organization, key).value


def source(organization: Organization, key: str) -> str:
    """Where ``value`` comes from, as ``Reason`` says it."""
    return resolve(organization, key).reason.value


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


def find(key: str) -> Flag:
    """The flag of this name. Raises BadRequest for an unknown one."""
    try:
        return FLAGS[key]
    except KeyError:
        raise BadRequest(f"There is no flag {key!r}; choose from {', '.join(FLAGS)}.", code="unknown_flag") from None


def parse(key: str, text: str) -> Any:
    """A flag's value from an operator's words: on/off, or a number within its range; ``default`` removes the
    override."""
    flag = find(key)
    if text == "default":
        return None
    if not flag.is_number:
        words = {"on": True, "true": True, "off": False, "false": False}
        if text.lower() not in words:
            raise BadRequest(f"{key} is on, off or default, not {text!r}.", code="invalid_flag")
        return words[text.lower()]
    if not text.isdigit():
        raise BadRequest(f"{key} is a number from {flag.least} to {flag.most}, not {text!r}.", code="invalid_flag")
    return check(flag, int(text))


def check(flag: Flag, given: bool | int) -> bool | int:
    """``given``, when the flag can have it. Raises BadRequest."""
    if isinstance(given, bool) is flag.is_number:
        kind = f"a number from {flag.least} to {flag.most}" if flag.is_number else "true or false"
        raise BadRequest(f"{flag.key} is {kind}.", code="invalid_flag")
    if flag.is_number and not flag.least <= given <= flag.most:
        raise BadRequest(f"{flag.key} is a number from {flag.least} to {flag.most}, not {given}.", code="invalid_flag")
    return given
