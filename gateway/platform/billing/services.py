"""Changing an organization's plan: paid for, audited, announced; at once, and nothing is ever deleted by it."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from gateway.core.journal import Actor, Event
from gateway.platform.billing import payment
from gateway.platform.events.services import emit
from tenants import plans, selectors, services
from tenants.types import Organization, OrgRef


def change_plan(ref: OrgRef, plan: str, *, actor: Actor, request_id: UUID | None = None) -> Organization:
    """Put the organization in scope on another plan; the plan that it is on already is no change.

    What a smaller plan no longer covers stays as it is and stops growing. Raises BadRequest ``unknown_plan``,
    PlanByArrangement and PaymentRefused.
    """
    after = plans.get(plan)
    with transaction.atomic():
        services.organization_touch(ref)  # changes of one organization come one at a time
        organization = selectors.organization(ref.id)
        if organization is None or organization.plan == plan:
            return _unchanged(organization, ref)
        payment.configured().change_plan(organization, plans.get(organization.plan), after)
        changed = services.plan_set(ref, plan, actor=actor, request_id=request_id)
        emit([Event("plan.changed", {"from": organization.plan, "to": plan})])
    return changed


def _unchanged(organization: Organization | None, ref: OrgRef) -> Organization:
    if organization is None:
        raise LookupError(f"there is no organization {ref.id}")
    return organization
