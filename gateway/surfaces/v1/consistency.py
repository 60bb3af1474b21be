"""``/v1/personas/{id}/golden-prompts`` and ``…/consistency-runs``: does a persona still sound like itself."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Body as Given
from ninja import Query, Router
from ninja import Status as Answer

from gateway.core import ids
from gateway.core.conditional import expected
from gateway.core.endpoint import Call, Scope, call_of, endpoint
from gateway.core.pagination import Page, check_limit, decode_cursor
from gateway.engine.consistency import selectors, services
from gateway.engine.consistency.types import SUBJECT, Run, VersionStanding
from gateway.governance.access import rules as access
from gateway.knowledge.personas import selectors as personas
from gateway.knowledge.personas.errors import DraftNotFound
from gateway.knowledge.personas.formats import digest
from gateway.platform.operations import selectors as operations
from gateway.platform.operations.types import accepted
from gateway.surfaces.v1.schemas.consistency import (
    ConsistencyOut,
    ConsistencyRunAccepted,
    ConsistencyRunIn,
    ConsistencyRunOut,
    ConsistencyRunPage,
    GoldenPromptsIn,
    GoldenPromptsOut,
)
from tenants.context import in_tenant
from tenants.types import Principal

router = Router(tags=["personas"])


@router.get("/personas/{persona_id}/golden-prompts", response=GoldenPromptsOut, summary="A persona's golden prompts")
@endpoint(scope=Scope.PERSONAS_READ)
async def get_golden_prompts(request: HttpRequest, response: HttpResponse, persona_id: str) -> GoldenPromptsOut:
    """The questions that tell whether the persona still sounds like itself. Where none were saved, the examples of the
    current version (or of the draft, before the first) stand in, and `revision` is 0."""
    principal = _allowed(call_of(request), persona_id)
    found = await in_tenant(principal.ref, selectors.golden_set, persona_id)
    response["ETag"] = f'"{found.revision}"'
    return GoldenPromptsOut.of(found)


@router.put("/personas/{persona_id}/golden-prompts", response=GoldenPromptsOut, summary="Save golden prompts")
@endpoint(scope=Scope.PERSONAS_WRITE)
async def save_golden_prompts(
    request: HttpRequest, response: HttpResponse, persona_id: str, body: GoldenPromptsIn
) -> GoldenPromptsOut:
    """All of them at once; a draft will do, the persona need not be published yet. Nightly runs are made on behalf of
    whoever saved them last. `expected_revision` or `If-Match` make it conditional: 409 with who saved them in
    between."""
    call = call_of(request)
    principal = _allowed(call, persona_id)
    if body.nightly:
        _may_ask(principal)
    found = await in_tenant(
        principal.ref,
        services.save,
        persona_id,
        prompts=tuple(one.golden() for one in body.prompts),
        settings=body.settings(),
        expected_revision=expected(request, body.expected_revision),
        actor=principal.actor,
        request_id=call.request_id,
    )
    response["ETag"] = f'"{found.revision}"'
    return GoldenPromptsOut.of(found)


@router.delete("/personas/{persona_id}/golden-prompts", response={204: None}, summary="Delete golden prompts")
@endpoint(scope=Scope.PERSONAS_WRITE)
async def delete_golden_prompts(request: HttpRequest, persona_id: str) -> Answer[None]:
    """The cartridge's examples stand in again; runs stay."""
    call = call_of(request)
    principal = _allowed(call, persona_id)
    await in_tenant(
        principal.ref, services.delete, persona_id, actor=principal.actor, request_id=call.request_id
    )  # fmt: skip
    return Answer(204, None)


@router.post(
    "/personas/{persona_id}/consistency-runs",
    response={202: ConsistencyRunAccepted},
    summary="Ask a version, or the draft, the golden prompts",
)
@endpoint(scope=Scope.PERSONAS_WRITE)
async def start_consistency_run(
    request: HttpRequest, persona_id: str, body: Annotated[ConsistencyRunIn | None, Given()] = None
) -> Answer[ConsistencyRunAccepted]:
    """Each prompt is a turn through the same pipeline as every other: admitted, paid for and recorded for the caller,
    who needs `chat` as well. Nothing is recalled and nothing is kept of it. One run of a persona is under way at a
    time."""
    call = call_of(request)
    principal = _allowed(call, persona_id)
    _may_ask(principal)
    given = body or ConsistencyRunIn()
    found = await in_tenant(
        principal.ref,
        services.start,
        persona_id,
        None if given.target == "current" else given.target,
        model=given.model,
        judge_model=given.judge_model,
        actor=principal.actor,
        request_id=call.request_id,
    )
    operation = await in_tenant(principal.ref, _operation, found, principal)
    return Answer(202, ConsistencyRunAccepted(run=ConsistencyRunOut.of(found), operation=operation))


@router.get("/personas/{persona_id}/consistency-runs", response=ConsistencyRunPage, summary="List runs, newest first")
@endpoint(scope=Scope.PERSONAS_READ)
async def list_consistency_runs(
    request: HttpRequest,
    persona_id: str,
    version: Annotated[int | None, Query(ge=0, lt=2**31, description="Of one version; 0: of drafts.")] = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> ConsistencyRunPage:
    """Without what was answered; ask for one run to see that."""
    check_limit(limit), decode_cursor(cursor)
    principal = _allowed(call_of(request), persona_id)
    return ConsistencyRunPage.of(await in_tenant(principal.ref, _page, persona_id, version, limit, cursor))


@router.get("/personas/{persona_id}/consistency-runs/{run_id}", response=ConsistencyRunOut, summary="One run")
@endpoint(scope=Scope.PERSONAS_READ)
async def get_consistency_run(request: HttpRequest, persona_id: str, run_id: str) -> ConsistencyRunOut:
    """With each answer, its scores, what was checked, and the request that it was."""
    principal = _allowed(call_of(request), persona_id)
    found = await in_tenant(principal.ref, selectors.run, persona_id, ids.parse("crun", run_id))
    return ConsistencyRunOut.of(found, replies=True)


@router.get("/personas/{persona_id}/consistency", response=ConsistencyOut, summary="How each version stands")
@endpoint(scope=Scope.PERSONAS_READ)
async def get_consistency(request: HttpRequest, persona_id: str) -> ConsistencyOut:
    """The last finished run of each version with its drift, and what changed from version to version. A run of the
    draft that a version was published from is the version's own."""
    principal = _allowed(call_of(request), persona_id)
    return ConsistencyOut.of(persona_id, *await in_tenant(principal.ref, _standings, persona_id))


def _allowed(call: Call, persona_id: str) -> Principal:
    principal: Principal = call.principal
    principal.require_persona(persona_id)
    return principal


def _may_ask(principal: Principal) -> None:
    """Whether the caller may have turns made for them. Raises Forbidden."""
    access.require_scope(principal, Scope.CHAT)
    principal.require_subject(SUBJECT)


def _operation(found: Run, principal: Principal) -> dict[str, object] | None:
    if found.operation_id is None:
        return None
    shown: dict[str, object] = accepted(operations.get(found.operation_id, principal=principal))["operation"]
    return shown


def _page(persona_id: str, version: int | None, limit: int | None, cursor: str | None) -> Page[Run]:
    selectors.known(persona_id)
    return selectors.page(persona_id, version=version, limit=limit, cursor=cursor)


def _standings(persona_id: str) -> tuple[int, list[VersionStanding], Run | None]:
    persona = selectors.known(persona_id)
    current = persona.current_version if persona is not None else 0
    try:
        drafted = digest(personas.draft(persona_id).raw)
    except DraftNotFound:
        return current, selectors.standings(persona_id), None
    return current, selectors.standings(persona_id), selectors.draft_standing(persona_id, drafted)
