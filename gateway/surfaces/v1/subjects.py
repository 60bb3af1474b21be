"""``/v1/subjects``: who the organization's applications have talked about, what is said of them, and their erasure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.db import transaction
from django.http import HttpRequest
from ninja import Query, Router
from ninja import Status as Answer

from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.errors import Forbidden
from gateway.core.subjectdata import Target
from gateway.core.wire import Moment
from gateway.engine.conversations import selectors as conversations
from gateway.engine.erasure import services as erasure
from gateway.governance.access import rules as access
from gateway.governance.access import teams
from gateway.governance.proposals import subjectdata as proposals
from gateway.knowledge.memory import selectors as memory
from gateway.knowledge.subjects import selectors, services
from gateway.knowledge.subjects.types import Subject, SubjectFilter
from gateway.platform.operations.types import accepted
from gateway.surfaces.v1.schemas.subjects import (
    SubjectCountsOut,
    SubjectDetailOut,
    SubjectIn,
    SubjectOut,
    SubjectPage,
)
from gateway.surfaces.v1.whole import whole_organization
from tenants.context import in_tenant
from tenants.types import Principal

router = Router(tags=["subjects"])


@router.get("/subjects", response=SubjectPage, summary="List subjects, oldest first")
@endpoint(scope=Scope.MEMORIES_READ)
async def list_subjects(
    request: HttpRequest,
    *,
    query: Annotated[str | None, Query(max_length=128, description="How the id or display name begins.")] = None,
    team_id: Annotated[str | None, Query(max_length=64)] = None,
    state: Literal["active", "erasing"] | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> SubjectPage:
    """Subjects in the order of their creation; `since` and `until` (exclusive) are about that. A key narrowed to some
    subjects sees those."""
    principal: Principal = call_of(request).principal
    wanted = SubjectFilter(query, team_id, since, until, principal.grant.subject_ids, state)
    page = await in_tenant(principal.ref, selectors.page, wanted, limit=limit, cursor=cursor)
    return SubjectPage(data=[SubjectOut.of(subject) for subject in page.data], next_cursor=page.next_cursor)


@router.get("/subjects/{subject_id}", response=SubjectDetailOut, summary="One subject, by the caller's own id")
@endpoint(scope=Scope.MEMORIES_READ)
async def get_subject(request: HttpRequest, subject_id: str) -> SubjectDetailOut:
    """One subject by the caller's own id, and how much is known of it. While it is being erased, its id and state."""
    call = call_of(request)
    call.principal.require_subject(subject_id)
    subject, counts = await in_tenant(call.principal.ref, _counted, subject_id)
    call.read("subject.read", f"subject:{subject_id}", subject_id=subject_id)
    return SubjectDetailOut(**SubjectOut.fields(subject), counts=counts)


@router.put("/subjects/{subject_id}", response=SubjectOut, summary="Say who a subject is")
@endpoint(scope=Scope.MEMORIES_WRITE)
async def put_subject(request: HttpRequest, subject_id: str, body: SubjectIn) -> SubjectOut:
    """Replaces display name, attributes and teams; a subject that is new is created. Its teams decide which policies
    hold for it, so changing them needs `policies:write` as well, and a key that is not narrowed to personas or
    subjects."""
    call = call_of(request)
    call.principal.require_subject(subject_id)
    return SubjectOut.of(await in_tenant(call.principal.ref, _put, subject_id, body, call.principal, call.request_id))


@router.delete("/subjects/{subject_id}", response={202: dict[str, Any]}, summary="Erase a subject")
@endpoint(scope=Scope.MEMORIES_WRITE)
async def erase_subject(request: HttpRequest, subject_id: str) -> Answer[Any]:
    """Hidden at once, then erased by an operation: memories, search data, conversations, kept bodies and answers,
    proposals. Its result names a signed receipt (`GET /v1/receipts/{receipt_id}`), which also lists what is kept and
    why. Asked again meanwhile, it is the same operation. Needs `conversations:write` too, and a key that is narrowed
    to no persona or memory scope."""
    call = call_of(request)
    principal: Principal = call.principal
    principal.require_subject(subject_id)
    sees_everything(principal, Scope.CONVERSATIONS_WRITE)
    operation = await in_tenant(
        principal.ref, erasure.start, subject_id, actor=principal.actor, request_id=call.request_id
    )
    return Answer(202, accepted(operation))


def sees_everything(principal: Principal, scope: Scope) -> None:
    """Raise Forbidden for a key that covers only a share of what is known of a subject."""
    access.require_scope(principal, scope)
    if principal.grant.persona_ids is not None or principal.grant.memory_scopes is not None:
        raise Forbidden(
            "This takes in all personas and memory scopes, and the key is narrowed to some.", code="key_too_narrow"
        )


def _counted(subject_id: str) -> tuple[Subject, SubjectCountsOut]:
    subject = selectors.look(subject_id)
    if subject.erasing_at is not None:
        return subject, SubjectCountsOut(memories=0, conversations=0, proposals=0)
    counts = SubjectCountsOut(
        memories=memory.count(subject.pk),
        conversations=conversations.count(subject.pk),
        proposals=proposals.count(Target(subject.pk, subject.id)),
    )
    return subject, counts


def _put(subject_id: str, body: SubjectIn, principal: Principal, request_id: Any) -> Subject:
    with transaction.atomic():
        known = selectors.find(subject_id)
        if sorted(set(body.team_ids)) != sorted(known.team_ids if known is not None else ()):
            access.require_scope(principal, Scope.POLICIES_WRITE)
            whole_organization(principal)
            teams.require(body.team_ids)
        return services.put(
            subject_id,
            display_name=body.display_name,
            attributes=body.attributes,
            team_ids=body.team_ids,
            actor=principal.actor,
            request_id=request_id,
        )
