"""`/v1/subjects/{id}/consents`: which sources a subject lets be used."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from ninja import Router

from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.knowledge.memory import consents
from gateway.knowledge.memory.lines import SourceConsent
from gateway.knowledge.subjects import selectors as subjects
from gateway.knowledge.subjects import services as subject_services
from gateway.surfaces.v1.memories_access import check_whole_subject
from gateway.surfaces.v1.schemas.memory_changes import ConsentIn, ConsentList, ConsentOut
from tenants.context import in_tenant
from tenants.types import Principal

router = Router(tags=["subjects"])


@router.get("/subjects/{subject_id}/consents", response=ConsentList, summary="What a subject said about sources")
@endpoint(scope=Scope.MEMORIES_READ)
async def list_consents(request: HttpRequest, subject_id: str) -> ConsentList:
    """The sources that were granted or taken back; one that is not listed may be used."""
    call = call_of(request)
    call.principal.require_subject(subject_id)
    found = await in_tenant(call.principal.ref, _list, subject_id)
    call.read("consents.read", f"subject:{subject_id}", subject_id=subject_id, count=len(found))
    return ConsentList(data=[ConsentOut.of(one) for one in found])


@router.put("/subjects/{subject_id}/consents/{source}", response=ConsentOut, summary="Grant a source or take it back")
@endpoint(scope=Scope.MEMORIES_WRITE)
async def put_consent(request: HttpRequest, subject_id: str, source: str, body: ConsentIn) -> ConsentOut:
    """Taking a source back hides everything whose lineage needs it from the next request on; granting it again restores
    what was known. The same again changes nothing."""
    call = call_of(request)
    check_whole_subject(call.principal, subject_id)
    found = await in_tenant(call.principal.ref, _put, subject_id, source, body.granted, call.principal, call.request_id)
    return ConsentOut.of(found)


def _list(subject_id: str) -> list[SourceConsent]:
    return consents.of(subjects.get(subject_id).pk)


def _put(subject_id: str, source: str, granted: bool, principal: Principal, request_id: UUID) -> SourceConsent:
    """Whoever is not known yet may say it, too."""
    with transaction.atomic():
        subject = subject_services.ensure(subject_id, actor=principal.actor, request_id=request_id)
        return consents.put(subject, source, granted, actor=principal.actor, request_id=request_id)
