"""`/v1/memories`: write, read, recall and forget what is known of a subject."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Body as JsonBody
from ninja import Query, Router
from ninja import Status as Answer

from gateway.core import ids
from gateway.core.endpoint import Body, Scope, call_of, endpoint
from gateway.core.errors import BadRequest, FieldProblem, Forbidden, Gone
from gateway.core.pagination import Page, check_limit, decode_cursor
from gateway.governance.policies import selectors as policies
from gateway.governance.policies.types import RequestedPolicy
from gateway.knowledge.memory import selectors as memory
from gateway.knowledge.memory import services
from gateway.knowledge.memory.types import Memory, MemoryType, Recall, RecallQuery, Status
from gateway.knowledge.subjects import selectors as subjects
from gateway.platform.admission import gate
from gateway.platform.flags import catalogue
from gateway.platform.operations.types import accepted
from gateway.surfaces.v1 import remember
from gateway.surfaces.v1.schemas.inline import inlined
from gateway.surfaces.v1.schemas.memories import (
    BatchIn,
    BatchOut,
    ForgottenOut,
    MemoryIn,
    MemoryOut,
    MemoryPage,
    RecallIn,
    RecallOut,
)
from tenants.context import in_tenant
from tenants.types import Principal

router = Router(tags=["memories"])
_BODIES = {
    "requestBody": {"content": {"application/json": {"schema": {"oneOf": [inlined(MemoryIn), inlined(BatchIn)]}}}}
}


@router.post(
    "/memories",
    response={201: MemoryOut | BatchOut, 202: dict[str, Any]},
    summary="Store a memory, or a batch of up to 1,000",
    openapi_extra=_BODIES,
    exclude_unset=True,  # an item of a batch has an id or an error, not both with one null
)
@endpoint(scope=Scope.MEMORIES_WRITE, body=Body.BATCH)
async def create_memories(request: HttpRequest, body: Annotated[dict[str, Any], JsonBody()]) -> Answer[Any]:
    """A memory that says what an active one says already becomes a further source of it (`deduplicated`).

    A batch answers item by item; with `Prefer: respond-async` it answers 202 with an operation instead.
    """
    call = call_of(request)
    principal: Principal = call.principal
    if "items" not in body:
        item = remember.parsed(MemoryIn, body)
        remember.check_key(principal, item)
        await gate.count_memory_operations(call, 1, subject_id=item.subject_id)
        stored = await in_tenant(principal.ref, remember.store, item, principal, call.request_id)
        return Answer(201, MemoryOut.of(stored))
    batch = remember.Batch(body, principal)
    if batch.writes:
        await gate.count_memory_operations(call, batch.writes, subjects=batch.subjects)
    if "respond-async" in request.headers.get("Prefer", "").lower():
        return Answer(202, accepted(await in_tenant(principal.ref, batch.start, call.request_id)))
    return Answer(201, {"data": await in_tenant(principal.ref, batch.store, call.request_id)})


@router.get("/memories", response=MemoryPage, summary="List memories, newest first")
@endpoint(scope=Scope.MEMORIES_READ)
async def list_memories(  # noqa: PLR0917 - Ninja reads the query from the parameters
    request: HttpRequest,
    subject_id: Annotated[str | None, Query(max_length=128)] = None,
    type: MemoryType | None = None,  # noqa: A002 - the wire's name
    memory_scope: Annotated[str | None, Query(max_length=128)] = None,
    status: Status = Status.ACTIVE,
    limit: int | None = None,
    cursor: str | None = None,
) -> MemoryPage:
    """Memories of one subject; a key without a restriction to subjects may leave the subject out."""
    check_limit(limit), decode_cursor(cursor)  # refused for a subject that is not there, too
    call = call_of(request)
    principal: Principal = call.principal
    if subject_id is not None:
        _may_use_subject(principal, subject_id)
    elif principal.grant.subject_ids is not None:
        problem = FieldProblem("#/query/subject_id", "missing", "is required for a key that is restricted to subjects")
        raise BadRequest("subject_id is required for a key that is restricted to subjects.", problems=(problem,))
    scopes = _scopes(principal, (memory_scope,) if memory_scope is not None else None)
    filters = {
        "types": (type,) if type is not None else None,
        "memory_scopes": scopes,
        "personas": principal.grant.persona_ids,
        "status": status.value,
        "limit": limit,
        "cursor": cursor,
    }
    page = await in_tenant(principal.ref, _page, subject_id, filters)
    call.read("memory.listed", f"subject:{subject_id}" if subject_id is not None else "memories", count=len(page.data))
    return MemoryPage(data=[MemoryOut.of(found) for found in page.data], next_cursor=page.next_cursor)


# Above /memories/{memory_id}, which would take the word for an id.
@router.post("/memories/recall", response=RecallOut, summary="Find memories by words")
@endpoint(scope=Scope.MEMORIES_READ)
async def recall(request: HttpRequest, body: RecallIn) -> RecallOut:
    """The memories of one subject that fit the query, best first, within what the key and the organization's policy
    allow."""
    call = call_of(request)
    principal: Principal = call.principal
    _may_use_subject(principal, body.subject_id)
    if body.persona_id is not None and not principal.may_use_persona(body.persona_id):
        raise Forbidden(f"This key may not use the persona {body.persona_id!r}.", code="persona_not_allowed")
    scopes = _scopes(principal, tuple(body.memory_scopes) if body.memory_scopes is not None else None)
    await gate.count_memory_operations(call, 1, subject_id=body.subject_id)
    found = await in_tenant(principal.ref, _recall, body, principal, scopes)
    call.read(
        "memory.recalled",
        f"subject:{body.subject_id}",
        subject_id=body.subject_id,
        query_sha256=hashlib.sha256(body.query.encode()).hexdigest(),
        memory_ids=[one.public_id for one in found.memories],
        memory_version=found.version,
    )
    return RecallOut.of(found)


@router.get("/memories/{memory_id}", response=MemoryOut, summary="One memory")
@endpoint(scope=Scope.MEMORIES_READ)
async def get_memory(request: HttpRequest, memory_id: str) -> MemoryOut:
    """One memory with its source. 410 once it is forgotten."""
    call = call_of(request)
    found = await in_tenant(call.principal.ref, memory.get, ids.parse("mem", memory_id))
    _may_see(call.principal, found)
    if found.status == Status.FORGOTTEN:
        raise Gone("This memory was forgotten.", code="memory_forgotten")
    call.read("memory.read", found.public_id, subject_id=found.subject_id)
    return MemoryOut.of(found)


@router.delete("/memories/{memory_id}", response=ForgottenOut, summary="Forget a memory")
@endpoint(scope=Scope.MEMORIES_WRITE)
async def forget_memory(request: HttpRequest, memory_id: str) -> ForgottenOut:
    """It is not found from the next request on; its row is kept for 30 days. Forgetting twice is the same as once."""
    call = call_of(request)
    found = await in_tenant(call.principal.ref, _forget, ids.parse("mem", memory_id), call.principal, call.request_id)
    return ForgottenOut.of(found)


def _page(subject_id: str | None, filters: dict[str, Any]) -> Page[Memory]:
    subject = subjects.find(subject_id) if subject_id is not None else None
    if subject_id is not None and subject is None:
        return Page([], None)
    return memory.page(subject.pk if subject else None, **filters)


def _forget(memory_id: UUID, principal: Principal, request_id: UUID) -> Memory:
    _may_see(principal, memory.get(memory_id))
    return services.forget(memory_id, actor=principal.actor, request_id=request_id)


def _recall(body: RecallIn, principal: Principal, scopes: tuple[str, ...] | None) -> Recall:
    """Nobody is created by being asked about: an unknown subject has no memories."""
    subject = subjects.find(body.subject_id)
    if subject is None:
        return Recall((), cache_hit=False, degraded=False, version=0)
    policy = policies.effective(
        request=RequestedPolicy(memory_scopes=scopes, key_memory_scopes=principal.grant.memory_scopes)
    )
    return memory.recall(
        RecallQuery(
            subject.pk,
            body.query,
            k=body.k,
            memory_scopes=policy.memory_scopes,
            types=tuple(body.types) if body.types is not None else None,
            personas=(body.persona_id,) if body.persona_id is not None else principal.grant.persona_ids,
            min_confidence=body.min_confidence,
            as_of=body.as_of,
            known_at=body.known_at,
            explain=body.explain,
        ),
        ttl_s=catalogue.value(principal.organization, "cache-memory-ttl-seconds"),
    )


def _may_use_subject(principal: Principal, subject_id: str) -> None:
    if not principal.may_use_subject(subject_id):
        raise Forbidden("This key may not act for this subject.", code="subject_not_allowed")


def _may_see(principal: Principal, found: Memory) -> None:
    """Refuse a memory that lies outside what the key is narrowed to."""
    _may_use_subject(principal, found.subject_id)
    _scopes(principal, (found.memory_scope,))
    if found.persona_id is not None and found.scope == "private" and not principal.may_use_persona(found.persona_id):
        raise Forbidden(f"This key may not use the persona {found.persona_id!r}.", code="persona_not_allowed")


def _scopes(principal: Principal, asked: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The memory scopes to look into: those asked for, else all that the key has; Forbidden for one that it has not."""
    allowed = principal.grant.memory_scopes
    outside = sorted(set(asked or ()) - set(allowed)) if allowed is not None else []
    if outside:
        detail = f"This key may not search the memory scopes {', '.join(outside)}."
        raise Forbidden(detail, code="memory_scope_not_allowed")
    return asked if asked is not None else allowed
