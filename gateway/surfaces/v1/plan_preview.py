"""What an organization has that a plan does not cover: asked of the slices that know, which may not know each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.governance.policies import selectors as policies
from gateway.knowledge.memory import selectors as memory
from gateway.knowledge.personas import selectors as personas
from gateway.platform.billing.months import this_month
from gateway.platform.flags import catalogue
from gateway.platform.ledger import usage
from gateway.platform.ledger.usage import UsageQuery
from tenants.plans import OVERRIDABLE, PLANS, Plan
from tenants.sso import selectors as sso
from tenants.types import Organization


@dataclass(frozen=True, slots=True)
class Break:
    """``have`` of something where the plan includes ``included`` (0: the feature is not in it)."""

    what: str
    have: int
    included: int
    detail: str


def breaks(organization: Organization, plan: Plan) -> list[Break]:
    """What would no longer be covered, inside the organization's scope. Limits and flags that the operator set for the
    organization outlive a change of plan, so they break nothing."""
    return [*_limits(organization, plan), *_features(organization, plan)]


def _limits(organization: Organization, plan: Plan) -> list[Break]:
    kept = {name for name in organization.limits if name in OVERRIDABLE}
    found: list[Break] = []

    def over(name: str, have: int, detail: str) -> None:
        included = getattr(plan, name)
        if name not in kept and included is not None and have > included:
            found.append(Break(name, have, included, detail))

    over("personas", personas.count(), "No persona can be added; those there are go on answering.")
    if plan.memories is not None and "memories" not in kept and (subjects := memory.subjects_above(plan.memories)):
        detail = f"Subjects with more than {plan.memories} memories keep them and get no new ones."
        found.append(Break("memories", subjects, 0, detail))
    month = this_month()
    used = usage.totals(organization.ref.id, UsageQuery(month.start, month.end))
    over("calls", used.calls, "The month's calls are used up already: further ones are refused.")
    over("memory_operations", used.memory_operations, "The month's memory operations are used up already.")
    return found


def _features(organization: Organization, plan: Plan) -> list[Break]:
    lost = PLANS[organization.plan].features - plan.features - set(organization.flags)
    in_use: dict[str, Callable[[], int]] = {
        "policy_overlays": policies.count,
        "sso": lambda: int(sso.connection_of(organization.ref.id) is not None),
    }
    found = []
    for name in sorted(lost):
        purpose = catalogue.FLAGS[name].purpose if name in catalogue.FLAGS else name.replace("_", " ").capitalize()
        have = in_use[name]() if name in in_use else 0
        found.append(Break(name, have, 0, f"Not in the {plan.name} plan: {purpose}."))
    return found
