"""What the operations about personas share."""

from __future__ import annotations

from gateway.core.endpoint import Call
from tenants import plans


def allow(call: Call, persona_id: str) -> None:
    """Refuse what a narrowed key may not use. Raises Forbidden."""
    call.principal.require_persona(persona_id)


def room(call: Call) -> int | None:
    """How many personas the plan includes; None for any number."""
    return plans.limits(call.principal.organization).personas


def in_range(number: int | None) -> int | None:
    """A number that the column can hold; anything else names no version, which the selector says."""
    return number if number is None or 0 <= number < 2**31 else 0
