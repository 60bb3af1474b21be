"""What the operations about personas share."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

from django.http import HttpResponse

from gateway.core.endpoint import Call
from gateway.knowledge.personas import lint, selectors
from gateway.knowledge.personas.schemas.drafts import PersonaDraftOut
from gateway.knowledge.personas.schemas.personas import PersonaVersionOut
from gateway.knowledge.personas.types import Draft, PersonaVersion
from tenants import plans
from tenants.context import in_tenant

P = ParamSpec("P")


def allow(call: Call, persona_id: str) -> None:
    """Refuse what a narrowed key may not use. Raises Forbidden."""
    call.principal.require_persona(persona_id)


def room(call: Call) -> int | None:
    """How many personas the plan includes; None for any number."""
    return plans.limits(call.principal.organization).personas


def in_range(number: int | None) -> int | None:
    """A number that the column can hold; anything else names no version, which the selector says."""
    return number if number is None or 0 <= number < 2**31 else 0


async def version_of(
    call: Call, work: Callable[P, PersonaVersion], *args: P.args, **kwargs: P.kwargs
) -> PersonaVersionOut:
    """The version that ``work`` gives, with what lint says of it. Both are done in the executor: lint is no work for
    the event loop."""

    def run() -> PersonaVersionOut:
        version = work(*args, **kwargs)
        return PersonaVersionOut.of(version, selectors.verdict(version))

    return await in_tenant(call.principal.ref, run)


async def draft_of(call: Call, work: Callable[P, Draft], *args: P.args, **kwargs: P.kwargs) -> PersonaDraftOut:
    """The draft that ``work`` gives, likewise."""

    def run() -> PersonaDraftOut:
        draft = work(*args, **kwargs)
        return PersonaDraftOut.of(draft, lint.look(draft.raw, persona_id=draft.persona_id))

    return await in_tenant(call.principal.ref, run)


def tagged(response: HttpResponse, number: int) -> None:
    """Name the version or revision that is answered, for ``If-Match``."""
    response["ETag"] = f'"{number}"'
