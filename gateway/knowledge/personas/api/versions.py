"""``/v1/personas``: create, publish, read, roll back, archive, restore."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Router, Status

from gateway.core.conditional import expected
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.knowledge.personas import drafts, selectors, services, templates
from gateway.knowledge.personas.api.common import allow, draft_of, in_range, room, tagged, version_of
from gateway.knowledge.personas.schemas.drafts import PersonaDraftOut
from gateway.knowledge.personas.schemas.personas import (
    CreatePersonaIn,
    PersonaOut,
    PersonaPage,
    PersonaVersionOut,
    PersonaVersionPage,
    PublishPersonaIn,
    RollBackPersonaIn,
)
from tenants.context import in_tenant

router = Router(tags=["personas"])


@router.post("/personas", response={201: PersonaVersionOut | PersonaDraftOut}, summary="Create a persona")
@endpoint(scope=Scope.PERSONAS_WRITE)
async def create_persona(request: HttpRequest, body: CreatePersonaIn) -> Status[PersonaVersionOut | PersonaDraftOut]:
    """Create a persona and publish its first version; with `draft`, only keep its first draft, which may have errors
    still."""
    call = call_of(request)
    raw, made_from = body.cartridge, ""
    if raw is None:
        name = str(body.template)
        raw = templates.cartridge(name, owner_id=call.principal.ref.public_id, persona_id=body.id)
        made_from = f"template:{name}"
    persona_id = str(raw.get("id", ""))
    allow(call, persona_id)
    given = {"actor": call.principal.actor, "request_id": call.request_id, "made_from": made_from}
    if body.draft:
        return Status(201, await draft_of(call, drafts.begin, persona_id, raw, **given))
    return Status(201, await version_of(call, services.create, raw, limit=room(call), **given))


@router.get("/personas", response=PersonaPage, summary="List personas")
@endpoint(scope=Scope.PERSONAS_READ)
async def list_personas(
    request: HttpRequest, limit: int | None = None, cursor: str | None = None, archived: bool = False
) -> PersonaPage:
    """Personas in use, or with `archived` those taken out of use. A key narrowed to some personas sees those."""
    principal = call_of(request).principal
    only = principal.grant.persona_ids
    page = await in_tenant(
        principal.ref, selectors.page, limit=limit, cursor=cursor, only=only, archived=archived
    )  # fmt: skip
    return PersonaPage.of(page)


@router.get("/personas/{persona_id}", response=PersonaVersionOut, summary="One version of a persona")
@endpoint(scope=Scope.PERSONAS_READ)
async def get_persona(
    request: HttpRequest, response: HttpResponse, persona_id: str, version: int | None = None
) -> PersonaVersionOut:
    """The current version of a persona, or the one asked for. `ETag` is its number."""
    call = call_of(request)
    allow(call, persona_id)
    found = await version_of(call, selectors.load, persona_id, in_range(version))
    tagged(response, found.version)
    return found


@router.put("/personas/{persona_id}", response=PersonaVersionOut, summary="Publish the next version")
@endpoint(scope=Scope.PERSONAS_WRITE)
async def publish_persona(
    request: HttpRequest, response: HttpResponse, persona_id: str, body: PublishPersonaIn
) -> PersonaVersionOut:
    """Publish the next version. ``If-Match: "3"`` or ``expected_version: 3`` make it conditional: 409 when another
    came first."""
    call = call_of(request)
    allow(call, persona_id)
    published = await version_of(
        call,
        services.publish,
        persona_id,
        body.cartridge,
        expected_version=expected(request, body.expected_version),
        actor=call.principal.actor,
        request_id=call.request_id,
    )
    tagged(response, published.version)
    return published


@router.delete("/personas/{persona_id}", response=PersonaOut, summary="Take a persona out of use")
@endpoint(scope=Scope.PERSONAS_WRITE)
async def archive_persona(request: HttpRequest, persona_id: str) -> PersonaOut:
    """Take a persona out of use, which frees its place in the plan. Its versions are kept."""
    call = call_of(request)
    allow(call, persona_id)
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
    allow(call, persona_id)
    page = await in_tenant(call.principal.ref, selectors.versions, persona_id, limit=limit, cursor=cursor)
    return PersonaVersionPage.of(page)


@router.get("/personas/{persona_id}/versions/{number}", response=PersonaVersionOut, summary="A version by its number")
@endpoint(scope=Scope.PERSONAS_READ)
async def get_version(request: HttpRequest, persona_id: str, number: int) -> PersonaVersionOut:
    """One version as it was published, of an archived persona too."""
    call = call_of(request)
    allow(call, persona_id)
    return await version_of(call, selectors.version, persona_id, number)


@router.post("/personas/{persona_id}/rollback", response=PersonaVersionOut, summary="Roll back as a new version")
@endpoint(scope=Scope.PERSONAS_WRITE)
async def roll_back_persona(request: HttpRequest, persona_id: str, body: RollBackPersonaIn) -> PersonaVersionOut:
    """Publish an earlier version's document again, as the next version; no version is ever taken back."""
    call = call_of(request)
    allow(call, persona_id)
    return await version_of(
        call,
        services.roll_back,
        persona_id,
        body.version,
        expected_version=body.expected_version,
        actor=call.principal.actor,
        request_id=call.request_id,
    )


@router.post("/personas/{persona_id}/restore", response=PersonaOut, summary="Bring an archived persona back")
@endpoint(scope=Scope.PERSONAS_WRITE)
async def restore_persona(request: HttpRequest, persona_id: str) -> PersonaOut:
    """It answers again, with the version that was current, and takes a place in the plan again."""
    call = call_of(request)
    allow(call, persona_id)
    persona = await in_tenant(
        call.principal.ref,
        services.restore,
        persona_id,
        limit=room(call),
        actor=call.principal.actor,
        request_id=call.request_id,
    )
    return PersonaOut.of(persona)
