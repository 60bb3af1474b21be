"""The claims of the organization in scope."""

from __future__ import annotations

from gateway.core.idempotency import Claims
from gateway.platform.idempotency.models import ClaimRow

claims = Claims(ClaimRow)


def purge() -> int:
    """Delete the organization's claims whose day is over; returns how many."""
    return claims.purge()
