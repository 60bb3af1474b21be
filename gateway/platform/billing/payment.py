"""Who takes the money for a plan. The gateway only asks whether a change may happen; it never sees a card."""

from __future__ import annotations

from typing import Protocol

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from gateway.platform.billing.errors import PlanByArrangement
from tenants.plans import Plan
from tenants.types import Organization

log = structlog.get_logger(__name__)


class Payment(Protocol):
    """One way to be paid. ``IKIRO_PAYMENT`` names the one in use."""

    name: str

    def change_plan(self, organization: Organization, before: Plan, after: Plan) -> None:
        """Agree to the change, called inside its transaction. Raises PaymentRefused or PlanByArrangement; then nothing
        changes."""


class Manual:
    """A person writes the invoices, from the statements. Every plan with a price is agreed to."""

    name = "manual"

    def change_plan(self, organization: Organization, before: Plan, after: Plan) -> None:
        if after.price_micros is None:
            raise PlanByArrangement(
                f"The {after.name} plan is agreed by contract; ask whoever runs this gateway for it."
            )
        log.info("billing.plan_changed", organization=organization.ref.public_id, before=before.name, after=after.name)


PAYMENTS: dict[str, Payment] = {Manual.name: Manual()}


def configured() -> Payment:
    """The payment that the settings name. Raises ImproperlyConfigured when nobody wrote it."""
    name: str = settings.IKIRO_PAYMENT
    if name not in PAYMENTS:
        raise ImproperlyConfigured(f"IKIRO_PAYMENT={name!r} must be one of: {', '.join(PAYMENTS)}.")
    return PAYMENTS[name]
