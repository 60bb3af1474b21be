"""What is said when a feature is asked for that an organization does not have."""

from __future__ import annotations

from gateway.core.errors import Forbidden
from gateway.platform.flags import catalogue
from gateway.platform.flags.types import Reason
from tenants.types import Organization


def require(organization: Organization, key: str) -> None:
    """Raise Forbidden unless the flag is on: ``plan_required`` where a plan would turn it on, else
    ``feature_disabled``."""
    found = catalogue.resolve(organization, key)
    if found.value:
        return
    if found.reason is Reason.KILLED:
        raise Forbidden(
            f"{key} is switched off for everybody at the moment.",
            code="feature_disabled",
            extra={"flag": key, "reason": found.reason.value},
        )
    plan = catalogue.needs_plan(key)
    if found.reason is Reason.DEFAULT and plan is not None:
        raise Forbidden(
            f"This needs the {plan} plan or above.", code="plan_required", extra={"flag": key, "plan": plan}
        )
    raise Forbidden(f"{key} is off for this organization.", code="feature_disabled", extra={"flag": key})
