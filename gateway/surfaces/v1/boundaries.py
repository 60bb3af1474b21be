"""`/v1/subjects/{id}/boundaries`: what a subject does not want brought up, or looked at."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from ninja import Router
from ninja import Status as Answer

from gateway.core import ids
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.pagination import Page
from gateway.knowledge.memory import boundaries
from gateway.knowledge.memory.lines import DrawnBoundary
from gateway.knowledge.subjects import selectors as subjects
from gateway.knowledge.subjects import services as subject_services
from gateway.surfaces.v1.memories_access import check_whole_subject
from gateway.surfaces.v1.schemas.memory_changes import BoundaryIn, BoundaryList, BoundaryOut, NewBoundaryOut
from tenants.context import in_tenant
from tenants.types import Principal

router = Router(tags=["subjects"])


@router.get("/subjects/{subject_id}/boundaries", response=BoundaryList, summary="The lines that a subject drew")
@endpoint(scope=Scope.MEMORIES_READ)
async def list_boundaries(
    request: HttpRequest, subject_id: str, lifted: bool = False, limit: int | None = None, cursor: str | None = None
) -> BoundaryList:
    """Those that hold, oldest first; with ``lifted=true`` those that were taken away as well."""
    call = call_of(request)
    call.principal.require_subject(subject_id)
    found = await in_tenant(call.principal.ref, _list, subject_id, lifted, limit, cursor)
    call.read("boundaries.read", f"subject:{subject_id}", subject_id=subject_id, count=len(found.data))
    return BoundaryList(data=[BoundaryOut.of(one) for one in found.data], next_cursor=found.next_cursor)


@router.post("/subjects/{subject_id}/boundaries", response={201: NewBoundaryOut}, summary="Draw a line")
@endpoint(scope=Scope.MEMORIES_WRITE)
async def create_boundary(request: HttpRequest, subject_id: str, body: BoundaryIn) -> Answer[NewBoundaryOut]:
    """A topic hides every memory that has all its content words, those to come included; a source is recalled no more.
    It holds from the next request on. The same line drawn again is the one that there is. `statement` is the topic as
    it was understood and `hides` how many memories that covers: 0 tells of one that covers nothing yet."""
    call = call_of(request)
    check_whole_subject(call.principal, subject_id)
    found = await in_tenant(call.principal.ref, _add, subject_id, body, call.principal, call.request_id)
    return Answer(201, NewBoundaryOut.of(found))


@router.delete("/subjects/{subject_id}/boundaries/{boundary_id}", response=BoundaryOut, summary="Lift a line")
@endpoint(scope=Scope.MEMORIES_WRITE)
async def lift_boundary(request: HttpRequest, subject_id: str, boundary_id: str) -> BoundaryOut:
    """What no other line covers is recalled again. Lifting twice is the same as once."""
    call = call_of(request)
    check_whole_subject(call.principal, subject_id)
    found = await in_tenant(
        call.principal.ref, _lift, subject_id, ids.parse("bnd", boundary_id), call.principal, call.request_id
    )
    return BoundaryOut.of(found)


def _list(subject_id: str, lifted: bool, limit: int | None, cursor: str | None) -> Page[DrawnBoundary]:
    return boundaries.page(subjects.get(subject_id).pk, lifted=lifted, limit=limit, cursor=cursor)


def _add(subject_id: str, body: BoundaryIn, principal: Principal, request_id: UUID) -> DrawnBoundary:
    """Whoever is not known yet may draw one, too."""
    with transaction.atomic():
        subject = subject_services.ensure(subject_id, actor=principal.actor, request_id=request_id)
        return boundaries.add(
            subject, body.kind, statement=body.statement, source=body.source, actor=principal.actor,
            request_id=request_id,
        )  # fmt: skip


def _lift(subject_id: str, boundary_id: UUID, principal: Principal, request_id: UUID) -> DrawnBoundary:
    subject = subjects.get(subject_id)
    return boundaries.lift(boundary_id, subject_pk=subject.pk, actor=principal.actor, request_id=request_id)
