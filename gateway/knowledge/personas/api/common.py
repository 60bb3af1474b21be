"""What the operations about personas share."""

from __future__ import annotations

from django.http import HttpRequest

from gateway.core.endpoint import Call
from gateway.core.errors import BadRequest, FieldProblem, Forbidden
from tenants import plans


def allow(call: Call, persona_id: str) -> None:
    """Refuse what a narrowed key may not use. Raises Forbidden."""
    if not call.principal.may_use_persona(persona_id):
        raise Forbidden(f"This key may not use persona {persona_id!r}.", code="persona_not_allowed")


def room(call: Call) -> int | None:
    """How many personas the plan includes; None for any number."""
    return plans.limits(call.principal.organization).personas


def if_match(request: HttpRequest) -> int | None:
    """The number an ``If-Match`` header names; ``*`` and no header are no condition. Raises BadRequest."""
    text = request.headers.get("If-Match", "*").strip().removeprefix("W/").strip('"')
    if text == "*":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        problem = FieldProblem("#/header/If-Match", "not_a_version", "must be a version number in quotes")
        raise BadRequest("If-Match must be a version number in quotes.", problems=(problem,))
    return int(text)


def in_range(number: int | None) -> int | None:
    """A number that the column can hold; anything else names no version, which the selector says."""
    return number if number is None or 0 <= number < 2**31 else 0
