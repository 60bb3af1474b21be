"""Drafts, publishing them, and what differs between two versions."""

from __future__ import annotations

from typing import Annotated, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Body, Query, Router, Status

from gateway.core.conditional import expected
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.knowledge.personas import comparing, drafts, selectors
from gateway.knowledge.personas.api.common import allow, draft_of, room, tagged, version_of
from gateway.knowledge.personas.schemas.drafts import (
    PersonaDiffOut,
    PersonaDraftOut,
    PersonaDraftPage,
    PublishPersonaDraftIn,
    SavePersonaDraftIn,
)
from gateway.knowledge.personas.schemas.personas import PersonaVersionOut
from gateway.knowledge.personas.types import Mode
from tenants.context import in_tenant

router = Router(tags=["personas"])
StageName = Literal["stranger", "acquaintance", "friend", "best_friend"]
_SIDE = "A version's number, `current`, or `draft`."


@router.get("/persona-drafts", response=PersonaDraftPage, summary="List drafts")
@endpoint(scope=Scope.PERSONAS_READ)
async def list_drafts(request: HttpRequest, limit: int | None = None, cursor: str | None = None) -> PersonaDraftPage:
    """What is being written, the one begun first first; personas that were never published are among them."""
    principal = call_of(request).principal
    only = principal.grant.persona_ids
    return PersonaDraftPage.of(
        await in_tenant(principal.ref, selectors.drafts, limit=limit, cursor=cursor, only=only)
    )  # fmt: skip


@router.get("/personas/{persona_id}/draft", response=PersonaDraftOut, summary="The draft of a persona")
@endpoint(scope=Scope.PERSONAS_READ)
async def get_draft(request: HttpRequest, response: HttpResponse, persona_id: str) -> PersonaDraftOut:
    """What is being written, and what lint says of it. `ETag` is its revision."""
    call = call_of(request)
    allow(call, persona_id)
    found = await draft_of(call, selectors.draft, persona_id)
    tagged(response, found.revision)
    return found


@router.put("/personas/{persona_id}/draft", response=PersonaDraftOut, summary="Save a draft")
@endpoint(scope=Scope.PERSONAS_WRITE)
async def save_draft(
    request: HttpRequest, response: HttpResponse, persona_id: str, body: SavePersonaDraftIn
) -> PersonaDraftOut:
    """Begin a draft or save it again; the persona need not exist yet. `expected_revision` or `If-Match` make it
    conditional: 409 with who saved what in between."""
    call = call_of(request)
    allow(call, persona_id)
    saved = await draft_of(
        call,
        drafts.save,
        persona_id,
        body.cartridge,
        expected_revision=expected(request, body.expected_revision),
        actor=call.principal.actor,
        request_id=call.request_id,
    )
    tagged(response, saved.revision)
    return saved


@router.delete("/personas/{persona_id}/draft", response={204: None}, summary="Throw a draft away")
@endpoint(scope=Scope.PERSONAS_WRITE)
async def delete_draft(request: HttpRequest, persona_id: str) -> Status[None]:
    """The persona's versions stay as they are."""
    call = call_of(request)
    allow(call, persona_id)
    await in_tenant(
        call.principal.ref, drafts.delete, persona_id, actor=call.principal.actor, request_id=call.request_id
    )  # fmt: skip
    return Status(204, None)


@router.post("/personas/{persona_id}/publish", response=PersonaVersionOut, summary="Publish the draft")
@endpoint(scope=Scope.PERSONAS_WRITE)
async def publish_draft(
    request: HttpRequest, persona_id: str, body: Annotated[PublishPersonaDraftIn | None, Body()] = None
) -> PersonaVersionOut:
    """Make the draft the next version, which the very next new conversation speaks with. 409 with the other's change
    when a version was published since the draft began, or the draft was saved or published by somebody else."""
    call = call_of(request)
    allow(call, persona_id)
    given = body or PublishPersonaDraftIn(expected_revision=None, expected_version=None)
    return await version_of(
        call,
        drafts.publish,
        persona_id,
        expected_revision=given.expected_revision,
        expected_version=given.expected_version,
        limit=room(call),
        actor=call.principal.actor,
        request_id=call.request_id,
    )


@router.get("/personas/{persona_id}/diff", response=PersonaDiffOut, summary="What differs between two versions")
@endpoint(scope=Scope.PERSONAS_READ)
async def diff_persona(
    request: HttpRequest,
    persona_id: str,
    *,
    since: Annotated[str, Query(alias="from", max_length=10, description=_SIDE)] = "current",
    to: Annotated[str, Query(max_length=10, description=_SIDE)] = "draft",
    stage: StageName | None = None,
    mode: Mode = "direct",
) -> PersonaDiffOut:
    """Field by field, and in the compiled prompt (of a stage and a mode, when asked for) with about how many tokens it
    gains or loses."""
    call = call_of(request)
    allow(call, persona_id)
    found = await in_tenant(call.principal.ref, comparing.compare, persona_id, since, to, stage=stage, mode=mode)
    return PersonaDiffOut.of(found)
