"""``/v1/subjects``: who the organization's applications have talked about."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.errors import Forbidden
from gateway.knowledge.subjects import selectors
from gateway.knowledge.subjects.schemas import SubjectOut, SubjectPage
from tenants.context import in_tenant

router = Router(tags=["subjects"])


@router.get("/subjects", response=SubjectPage, summary="List subjects, oldest first")
@endpoint(scope=Scope.MEMORIES_READ)
async def list_subjects(request: HttpRequest, limit: int | None = None, cursor: str | None = None) -> SubjectPage:
    """Subjects in the order of their creation. A key narrowed to some subjects sees those."""
    principal = call_of(request).principal
    page = await in_tenant(principal.ref, selectors.page, limit=limit, cursor=cursor, only=principal.grant.subject_ids)
    return SubjectPage.of(page)


@router.get("/subjects/{subject_id}", response=SubjectOut, summary="One subject, by the caller's own id")
@endpoint(scope=Scope.MEMORIES_READ)
async def get_subject(request: HttpRequest, subject_id: str) -> SubjectOut:
    """One subject by the caller's own id."""
    call = call_of(request)
    if not call.principal.may_use_subject(subject_id):
        raise Forbidden(f"This key may not use subject {subject_id!r}.", code="subject_not_allowed")
    return SubjectOut.of(await in_tenant(call.principal.ref, selectors.get, subject_id))
