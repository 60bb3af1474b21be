"""``/v1/subjects/{id}/relationships``: how well a subject and each persona know each other."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from ninja import Router

from gateway.core.endpoint import Call, Scope, call_of, endpoint
from gateway.core.pagination import Page
from gateway.knowledge.personas import relationships
from gateway.knowledge.personas import selectors as personas
from gateway.knowledge.personas.types import Relationship
from gateway.knowledge.subjects import selectors as subjects
from gateway.knowledge.subjects import services as subject_services
from gateway.surfaces.v1.schemas.relationships import PutRelationshipIn, RelationshipOut, RelationshipPage
from tenants.context import in_tenant
from tenants.types import Principal

router = Router(tags=["subjects"])


@router.get("/subjects/{subject_id}/relationships", response=RelationshipPage, summary="List a subject's relationships")
@endpoint(scope=Scope.MEMORIES_READ)
async def list_relationships(
    request: HttpRequest, subject_id: str, limit: int | None = None, cursor: str | None = None
) -> RelationshipPage:
    """The personas that the subject has spoken with, the one met first first."""
    call = call_of(request)
    _allow(call, subject_id)
    principal: Principal = call.principal
    page = await in_tenant(principal.ref, _page, principal, subject_id, limit, cursor)
    return RelationshipPage.of(subject_id, page)


@router.get(
    "/subjects/{subject_id}/relationships/{persona_id}", response=RelationshipOut, summary="Where the two stand"
)
@endpoint(scope=Scope.MEMORIES_READ)
async def get_relationship(request: HttpRequest, subject_id: str, persona_id: str) -> RelationshipOut:
    """Stage, turns and level of a subject and a persona; `stranger` when they never spoke."""
    call = call_of(request)
    _allow(call, subject_id, persona_id)
    return RelationshipOut.of(subject_id, await in_tenant(call.principal.ref, _one, subject_id, persona_id))


@router.put(
    "/subjects/{subject_id}/relationships/{persona_id}", response=RelationshipOut, summary="Set the stage"
)  # fmt: skip
@endpoint(scope=Scope.MEMORIES_WRITE)
async def put_relationship(
    request: HttpRequest, subject_id: str, persona_id: str, body: PutRelationshipIn
) -> RelationshipOut:
    """Put the two at a stage, also a lower one; turns count on from there, unless it is locked."""
    call = call_of(request)
    _allow(call, subject_id, persona_id)
    return RelationshipOut.of(subject_id, await in_tenant(call.principal.ref, _put, call, subject_id, persona_id, body))


def _page(principal: Principal, subject_id: str, limit: int | None, cursor: str | None) -> Page[Relationship]:
    subject_pk: UUID = subjects.get(subject_id).pk
    return relationships.page(subject_pk, limit=limit, cursor=cursor, only=principal.grant.persona_ids)


def _one(subject_id: str, persona_id: str) -> Relationship:
    personas.get(persona_id)
    return relationships.of(subjects.get(subject_id).pk, persona_id)


def _put(call: Call, subject_id: str, persona_id: str, body: PutRelationshipIn) -> Relationship:
    with transaction.atomic():
        personas.get(persona_id)
        subject = subject_services.ensure(subject_id, actor=call.principal.actor, request_id=call.request_id)
        return relationships.set_stage(
            subject.pk,
            persona_id,
            body.stage,
            locked=body.locked,
            actor=call.principal.actor,
            subject_id=subject.id,
            request_id=call.request_id,
        )


def _allow(call: Call, subject_id: str, persona_id: str | None = None) -> None:
    call.principal.require_subject(subject_id)
    if persona_id is not None:
        call.principal.require_persona(persona_id)
