"""What can be wrong with money matters."""

from __future__ import annotations

from gateway.core.errors import BadRequest, Conflict, NotFound


class PlanByArrangement(Conflict):
    """The plan has no price of its own: it is agreed with a person first."""

    default_code = "plan_by_arrangement"


class PaymentRefused(Conflict):
    """Whoever takes the money said no; the plan is as it was."""

    default_code = "payment_refused"


class InvalidMonth(BadRequest):
    """Not a month as ``YYYY-MM``, or one that has not begun."""

    default_code = "invalid_month"


class UnreadableExport(BadRequest):
    """A provider's file that cannot be read as any of the known exports."""

    default_code = "unreadable_export"


class UnknownReconciliation(NotFound):
    default_code = "reconciliation_not_found"
