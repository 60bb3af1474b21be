"""`/v1/memories`: write, list and recall what is known of a subject."""

from __future__ import annotations

import hashlib
import time
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, JsonResponse
from ninja import Body as JsonBody
from ninja import Query, Router
from ninja import Status as Answer

from gateway.core.endpoint import Body, Scope, call_of, endpoint
from gateway.core.errors import BadRequest, FieldProblem
from gateway.core.pagination import Page, check_limit, decode_cursor
from gateway.governance.policies import selectors as policies
from gateway.governance.policies.types import RequestedPolicy
from gateway.knowledge.memory import selectors as memory
from gateway.knowledge.memory.selectors import MemoryFilter
from gateway.knowledge.memory.types import Meaning, Memory, Recall, RecallQuery
from gateway.knowledge.subjects import selectors as subjects
from gateway.platform import embeddings
from gateway.platform.admission import gate
from gateway.platform.flags import catalogue
from gateway.platform.operations.types import accepted
from gateway.platform.telemetry.memories import memories as counted
from gateway.surfaces.v1 import rehearsal, remember
from gateway.surfaces.v1.memories_access import scopes_of
from gateway.surfaces.v1.schemas.inline import inlined
from gateway.surfaces.v1.schemas.memories import (
    BatchIn,
    BatchOut,
    MemoryIn,
    MemoryOut,
    MemoryPage,
    RecallIn,
    RecallOut,
)
from gateway.surfaces.v1.schemas.memory_list import MemoryListIn
from gateway.surfaces.v1.schemas.transcripts import ExtractedOut, TranscriptIn
from gateway.surfaces.v1.transcripts import Transcript
from tenants.context import in_tenant
from tenants.types import Principal

router = Router(tags=["memories"])
_ANY = {"oneOf": [inlined(one) for one in (MemoryIn, BatchIn, TranscriptIn)]}
_NOBODY = UUID(int=0)
_BODIES = {"requestBody": {"content": {"application/json": {"schema": _ANY}}}}


@router.post(
    "/memories",
    response={201: MemoryOut | ExtractedOut | BatchOut, 202: dict[str, Any]},
    summary="Store a memory, or a batch of up to 1,000",
    openapi_extra=_BODIES,
    exclude_unset=True,  # an item of a batch has an id or an error, not both with one null
)
@endpoint(scope=Scope.MEMORIES_WRITE, body=Body.BATCH)
async def create_memories(
    request: HttpRequest, body: Annotated[dict[str, Any], JsonBody()]
) -> Answer[Any] | JsonResponse:
    """A memory that says what an active one says already becomes a further source of it (`deduplicated`). One that
    contradicts what is trusted more becomes a proposal: 202 with its `proposal_id`.

    A conversation (`transcript`) answers with what its user messages state, read out by rules. A batch answers item by
    item; with `Prefer: respond-async` it answers 202 with an operation instead.
    """
    call = call_of(request)
    principal: Principal = call.principal
    if "transcript" in body:
        said = Transcript(remember.parsed(TranscriptIn, body), principal)
        if said.items:
            await in_tenant(principal.ref, said.look_over)
        if said.writes:
            await gate.count_memory_operations(call, said.writes, subject_id=body["subject_id"])
        told = await in_tenant(principal.ref, said.store, call.request_id)
        _count(told["data"])
        return JsonResponse(told, status=201)
    if "items" not in body:
        item = remember.parsed(MemoryIn, body)
        remember.check_key(principal, item.subject_id, item.searched_under, item.persona_id)
        rehearsal.check(item.subject_id, item.new())
        await in_tenant(principal.ref, remember.would_store, item, principal)
        await gate.count_memory_operations(call, 1, subject_id=item.subject_id)
        stored = await in_tenant(principal.ref, remember.store, item, principal, call.request_id)
        if not isinstance(stored, Memory):
            counted.written("proposed")
            return Answer(202, stored)
        counted.written("corroborated" if stored.deduplicated else "stored")
        return Answer(201, MemoryOut.of(stored))
    batch = remember.Batch(body, principal)
    later = "respond-async" in request.headers.get("Prefer", "").lower()
    await in_tenant(principal.ref, batch.require_startable if later else batch.look_over)
    if batch.writes:
        await gate.count_memory_operations(call, batch.writes, subjects=batch.subjects)
    if later:
        operation = await in_tenant(principal.ref, batch.start, call.request_id)
        counted.written("queued", batch.writes)
        return Answer(202, accepted(operation))
    data = await in_tenant(principal.ref, batch.store, call.request_id)
    _count(data)
    return Answer(201, {"data": data})


@router.get("/memories", response=MemoryPage, summary="List memories, newest first")
@endpoint(scope=Scope.MEMORIES_READ)
async def list_memories(
    request: HttpRequest, wanted: Query[MemoryListIn], limit: int | None = None, cursor: str | None = None
) -> MemoryPage:
    """Memories of one subject; a key without a restriction to subjects may leave the subject out."""
    check_limit(limit), decode_cursor(cursor)  # refused for a subject that is not there, too
    call = call_of(request)
    principal: Principal = call.principal
    subject_id = wanted.subject_id
    if subject_id is not None:
        principal.require_subject(subject_id)
    elif principal.grant.subject_ids is not None or wanted.contains is not None:
        why = "to search by text" if wanted.contains is not None else "for a key that is restricted to subjects"
        problem = FieldProblem("#/query/subject_id", "missing", f"is required {why}")
        raise BadRequest(f"subject_id is required {why}.", problems=(problem,))
    scopes = scopes_of(principal, (wanted.memory_scope,) if wanted.memory_scope is not None else None)
    filters = wanted.filter(memory_scopes=scopes, personas=principal.grant.persona_ids)
    page = await in_tenant(principal.ref, _page, subject_id, filters, limit, cursor)
    call.read("memory.listed", f"subject:{subject_id}" if subject_id is not None else "memories", count=len(page.data))
    return MemoryPage(data=[MemoryOut.of(found) for found in page.data], next_cursor=page.next_cursor)


# Above /memories/{memory_id}, which would take the word for an id.
@router.post("/memories/recall", response=RecallOut, summary="Find memories by words")
@endpoint(scope=Scope.MEMORIES_READ, reads=True)
async def recall(request: HttpRequest, body: RecallIn) -> RecallOut:
    """The memories of one subject that fit the query, best first, within what the key allows and the policies of the
    organization, of key's and subject's teams and of the subject."""
    call = call_of(request)
    principal: Principal = call.principal
    principal.require_subject(body.subject_id)
    if body.persona_id is not None:
        principal.require_persona(body.persona_id)
    scopes = scopes_of(principal, tuple(body.memory_scopes) if body.memory_scopes is not None else None)
    began = time.monotonic()
    embedded = await embeddings.query(principal.organization, body.query)
    meaning = Meaning(embedded.model_id, embedded.vector) if embedded is not None else None
    found = await in_tenant(principal.ref, _recall, body, principal, scopes, meaning)
    seconds = time.monotonic() - began
    await gate.count_memory_operations(call, 1, subject_id=body.subject_id)  # what was refused is not counted
    counted.recalled(memories=len(found.memories), cache_hit=found.cache_hit, degraded=found.degraded, seconds=seconds)
    call.read(
        "memory.recalled",
        f"subject:{body.subject_id}",
        subject_id=body.subject_id,
        query_sha256=hashlib.sha256(body.query.encode()).hexdigest(),
        memory_ids=[one.public_id for one in found.memories],
        memory_version=found.version,
    )
    return RecallOut.of(found)


def _count(items: list[dict[str, Any]]) -> None:
    for item in items:
        counted.written(_outcome(item))


def _outcome(item: dict[str, Any]) -> str:
    """What became of one item of a batch, in the words of the metrics."""
    if "error" in item:
        return "refused"
    if "proposal_id" in item:
        return "proposed"
    return "corroborated" if item["deduplicated"] else "stored"


def _page(subject_id: str | None, wanted: MemoryFilter, limit: int | None, cursor: str | None) -> Page[Memory]:
    subject = subjects.find(subject_id) if subject_id is not None else None
    if subject_id is not None and subject is None:
        return Page([], None)
    return memory.page(subject.pk if subject else None, wanted, limit=limit, cursor=cursor)


def _recall(body: RecallIn, principal: Principal, scopes: tuple[str, ...] | None, meaning: Meaning | None) -> Recall:
    """Nobody is created by being asked about: an unknown subject has no memories, but what the organization itself
    knows may answer."""
    subject = subjects.find(body.subject_id)
    policy = policies.effective(
        request=RequestedPolicy(memory_scopes=scopes, key_memory_scopes=principal.grant.memory_scopes),
        teams=(*principal.grant.team_ids, *(subject.team_ids if subject is not None else ())),
        subject_id=body.subject_id,
    )
    return memory.recall(
        RecallQuery(
            subject.pk if subject is not None else _NOBODY,
            body.query,
            k=body.k,
            memory_scopes=policy.memory_scopes,
            types=tuple(body.types) if body.types is not None else None,
            personas=(body.persona_id,) if body.persona_id is not None else principal.grant.persona_ids,
            min_confidence=body.min_confidence,
            as_of=body.as_of,
            known_at=body.known_at,
            explain=body.explain,
            only_relevant=body.only_relevant,
            meaning=meaning,
            meaning_expected=embeddings.active_model(principal.organization) is not None,
        ),
        ttl_s=catalogue.value(principal.organization, "cache-memory-ttl-seconds"),
    )
