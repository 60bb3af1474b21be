"""``/v1/personas``: create, publish, read, archive."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router, Status

from gateway.core.endpoint import Call, Scope, call_of, endpoint
from gateway.core.errors import BadRequest, FieldProblem, Forbidden
from gateway.knowledge.personas import lint, selectors, services
from gateway.knowledge.personas.schemas import (
    CreatePersonaIn,
    PersonaOut,
    PersonaPage,
    PersonaVersionOut,
    PersonaVersionPage,
    PublishPersonaIn,
)
from tenants import plans
from tenants.context import in_tenant

router = Router(tags=["personas"])


@router.post("/personas", response={201: PersonaVersionOut}, summary="Create a persona")
@endpoint(scope=Scope.PERSONAS_WRITE)
async def create_persona(request: HttpRequest, body: CreatePersonaIn) -> Status[PersonaVersionOut]:
    """Create a persona and publish its first version."""
    call = call_of(request)
    _allow(call, str(body.cartridge.get("id", "")))
    version = await in_tenant(
        call.principal.ref,
        services.create,
        body.cartridge,
        limit=plans.limits(call.principal.organization).personas,
        actor=call.principal.actor,
        request_id=call.request_id,
    )
    return Status(201, PersonaVersionOut.of(version, lint.check(version.raw)))


@router.get("/personas", response=PersonaPage, summary="List personas in use")
@endpoint(scope=Scope.PERSONAS_READ)
async def list_personas(request: HttpRequest, limit: int | None = None, cursor: str | None = None) -> PersonaPage:
    """Personas in use. A key narrowed to some personas sees those."""
    principal = call_of(request).principal
    page = await in_tenant(principal.ref, selectors.page, limit=limit, cursor=cursor, only=principal.grant.persona_ids)
    return PersonaPage.of(page)


@router.get("/personas/{persona_id}", response=PersonaVersionOut, summary="One version of a persona")
@endpoint(scope=Scope.PERSONAS_READ)
async def get_persona(request: HttpRequest, persona_id: str, version: int | None = None) -> PersonaVersionOut:
    """The current version of a persona, or the one asked for."""
    call = call_of(request)
    _allow(call, persona_id)
    found = await in_tenant(call.principal.ref, selectors.load, persona_id, _in_range(version))
    return PersonaVersionOut.of(found, lint.check(found.raw))


@router.put("/personas/{persona_id}", response=PersonaVersionOut, summary="Publish the next version")
@endpoint(scope=Scope.PERSONAS_WRITE)
async def publish_persona(request: HttpRequest, persona_id: str, body: PublishPersonaIn) -> PersonaVersionOut:
    """Publish the next version. ``If-Match: "3"`` or ``expected_version: 3`` make it conditional: 409 when another
    came first."""
    call = call_of(request)
    _allow(call, persona_id)
    version = await in_tenant(
        call.principal.ref,
        services.publish,
        persona_id,
        body.cartridge,
        expected_version=body.expected_version if body.expected_version is not None else _if_match(request),
        actor=call.principal.actor,
        request_id=call.request_id,
    )
    return PersonaVersionOut.of(version, lint.check(version.raw))


@router.delete("/personas/{persona_id}", response=PersonaOut, summary="Take a persona out of use")
@endpoint(scope=Scope.PERSONAS_WRITE)
async def archive_persona(request: HttpRequest, persona_id: str) -> PersonaOut:
    """Take a persona out of use, which frees its place in the plan. Its versions are kept."""
    call = call_of(request)
    _allow(call, persona_id)
    persona = await in_tenant(
        call.principal.ref, services.archive, persona_id, actor=call.principal.actor, request_id=call.request_id
    )
    return PersonaOut.of(persona)


@router.get("/personas/{persona_id}/versions", response=PersonaVersionPage, summary="List versions, newest first")
@endpoint(scope=Scope.PERSONAS_READ)
async def list_versions(
    request: HttpRequest, persona_id: str, limit: int | None = None, cursor: str | None = None
) -> PersonaVersionPage:
    """All versions of a persona, newest first."""
    call = call_of(request)
    _allow(call, persona_id)
    page = await in_tenant(call.principal.ref, selectors.versions, persona_id, limit=limit, cursor=cursor)
    return PersonaVersionPage.of(page)


def _allow(call: Call, persona_id: str) -> None:
    if not call.principal.may_use_persona(persona_id):
        raise Forbidden(f"This key may not use persona {persona_id!r}.", code="persona_not_allowed")


def _if_match(request: HttpRequest) -> int | None:
    """The version an ``If-Match`` header names; ``*`` and no header are no condition."""
    text = request.headers.get("If-Match", "*").strip().removeprefix("W/").strip('"')
    if text == "*":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        problem = FieldProblem("#/header/If-Match", "not_a_version", "must be a version number in quotes")
        raise BadRequest("If-Match must be a version number in quotes.", problems=(problem,))
    return int(text)


def _in_range(version: int | None) -> int | None:
    """A number that the column can hold; anything else names no version, which the selector says."""
    return version if version is None or 0 <= version < 2**31 else 0
