"""``/v1/personas/{id}/experiments``: two versions of a persona side by side, subjects split between them."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from ninja import Router
from ninja import Status as Answer

from gateway.core import ids
from gateway.core.endpoint import Call, Scope, call_of, endpoint
from gateway.core.pagination import Page, check_limit, decode_cursor
from gateway.engine.experiments import results, selectors, services
from gateway.engine.experiments.types import ArmResult, Experiment
from gateway.knowledge.personas import selectors as personas
from gateway.surfaces.v1.schemas.experiments import ExperimentIn, ExperimentOut, ExperimentPage, ExperimentStopIn
from tenants.context import in_tenant
from tenants.types import Principal

router = Router(tags=["personas"])


@router.post(
    "/personas/{persona_id}/experiments", response={201: ExperimentOut}, summary="Try a version on some subjects"
)
@endpoint(scope=Scope.PERSONAS_WRITE)
async def start_experiment(request: HttpRequest, persona_id: str, body: ExperimentIn) -> Answer[ExperimentOut]:
    """Conversations that begin from now on speak with one of two versions, always the same one for a subject. A call
    that asks for a version gets that. One experiment of a persona runs at a time."""
    call = call_of(request)
    principal = _allowed(call, persona_id)
    found = await in_tenant(principal.ref, _start, persona_id, body, principal, call.request_id)
    return Answer(201, ExperimentOut.of(found))


@router.get("/personas/{persona_id}/experiments", response=ExperimentPage, summary="List experiments, newest first")
@endpoint(scope=Scope.PERSONAS_READ)
async def list_experiments(
    request: HttpRequest, persona_id: str, limit: int | None = None, cursor: str | None = None
) -> ExperimentPage:
    check_limit(limit), decode_cursor(cursor)
    principal = _allowed(call_of(request), persona_id)
    return ExperimentPage.of(await in_tenant(principal.ref, _page, persona_id, limit, cursor))


@router.get(
    "/personas/{persona_id}/experiments/{experiment_id}", response=ExperimentOut, summary="An experiment's results"
)
@endpoint(scope=Scope.PERSONAS_READ)
async def get_experiment(request: HttpRequest, persona_id: str, experiment_id: str) -> ExperimentOut:
    """Both arms, from the decision records since it began: calls, subjects, errors, latency, money, how often the
    persona redirected and how often it proposed something."""
    principal = _allowed(call_of(request), persona_id)
    found, arms = await in_tenant(principal.ref, _results, persona_id, ids.parse("exp", experiment_id))
    return ExperimentOut.of(found, arms)


@router.post(
    "/personas/{persona_id}/experiments/{experiment_id}/stop", response=ExperimentOut, summary="End an experiment"
)
@endpoint(scope=Scope.PERSONAS_WRITE)
async def stop_experiment(
    request: HttpRequest, persona_id: str, experiment_id: str, body: ExperimentStopIn | None = None
) -> ExperimentOut:
    """Conversations that began keep their version. With `keep` that arm's version becomes the newest."""
    call = call_of(request)
    principal = _allowed(call, persona_id)
    found = await in_tenant(
        principal.ref,
        services.stop,
        persona_id,
        ids.parse("exp", experiment_id),
        keep=body.keep if body is not None else None,
        actor=principal.actor,
        request_id=call.request_id,
    )
    return ExperimentOut.of(found)


def _start(persona_id: str, body: ExperimentIn, principal: Principal, request_id: UUID) -> Experiment:
    current = personas.get(persona_id).current_version
    return services.start(
        persona_id,
        name=body.name,
        version_a=body.version_a if body.version_a is not None else current,
        version_b=body.version_b,
        share_percent=body.share_percent,
        actor=principal.actor,
        request_id=request_id,
    )


def _page(persona_id: str, limit: int | None, cursor: str | None) -> Page[Experiment]:
    personas.get(persona_id)
    return selectors.page(persona_id, limit=limit, cursor=cursor)


def _results(persona_id: str, experiment_id: UUID) -> tuple[Experiment, tuple[ArmResult, ArmResult]]:
    found = selectors.get(persona_id, experiment_id)
    return found, results.of(found)


def _allowed(call: Call, persona_id: str) -> Principal:
    principal: Principal = call.principal
    principal.require_persona(persona_id)
    return principal
