"""Templates, export and import."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Status

from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.knowledge.personas import exchange, lint, templates
from gateway.knowledge.personas.api.common import allow, in_range, room
from gateway.knowledge.personas.formats import Format
from gateway.knowledge.personas.schemas.exchange import ImportPersonaIn, PersonaExportOut, PersonaImportOut
from gateway.knowledge.personas.schemas.personas import PersonaTemplateOut, PersonaTemplatesOut
from tenants.context import in_tenant

router = Router(tags=["personas"])


@router.get("/persona-templates", response=PersonaTemplatesOut, summary="Cartridges to begin with")
@endpoint(scope=Scope.PERSONAS_READ)
async def list_templates(request: HttpRequest) -> PersonaTemplatesOut:
    """`POST /v1/personas` with `template` makes a persona of one."""
    found = [
        PersonaTemplateOut(name=one.name, title=one.title, about=one.about, cartridge=one.raw)
        for one in templates.TEMPLATES.values()
    ]
    return PersonaTemplatesOut(data=found)


@router.post("/personas/import", response={201: PersonaImportOut}, summary="Take a cartridge in")
@endpoint(scope=Scope.PERSONAS_WRITE)
async def import_persona(request: HttpRequest, body: ImportPersonaIn) -> Status[PersonaImportOut]:
    """Check digest and signature, where there are any, and keep the document as a draft; or publish it at once, when
    that is asked for and this installation signed it. With `update`, an id that is taken is no 409: the document
    becomes the draft of that persona, if it has none. What a 1.1 export put under `meta` comes back to its place."""
    call = call_of(request)
    allow(call, body.as_id if body.as_id is not None else str(body.cartridge.get("id", "")))
    shown = await in_tenant(
        call.principal.ref,
        _taken_in,
        body.cartridge,
        given_digest=body.digest,
        signature=body.signature.inner() if body.signature else None,
        as_id=body.as_id,
        publish=body.publish,
        update=body.update,
        limit=room(call),
        actor=call.principal.actor,
        request_id=call.request_id,
    )
    return Status(201, shown)


@router.get("/personas/{persona_id}/export", response=PersonaExportOut, summary="Take a version away")
@endpoint(scope=Scope.PERSONAS_READ)
async def export_persona(
    request: HttpRequest,
    persona_id: str,
    version: int | None = None,
    form: Annotated[Format, Query(alias="format")] = "1.2",
    sign: bool = False,
) -> PersonaExportOut:
    """The document in the format asked for, with its digest and, with `sign=true`, a detached signature. In 1.1, what
    that format does not know stands under `meta`, so that importing it loses nothing; `carried` says what it is."""
    call = call_of(request)
    allow(call, persona_id)
    found = await in_tenant(
        call.principal.ref, exchange.export, persona_id, in_range(version), form=form, sign=sign
    )  # fmt: skip
    return PersonaExportOut.of(found)


def _taken_in(raw: dict[str, Any], **given: Any) -> PersonaImportOut:
    imported = exchange.take_in(raw, **given)
    return PersonaImportOut.of(imported, lint.look(imported.raw))
