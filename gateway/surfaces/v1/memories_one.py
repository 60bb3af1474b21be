"""`/v1/memories/{id}`: read, correct, forget and restore one memory, set it aside, keep it in front."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from ninja import Router

from gateway.core import ids
from gateway.core.conditional import expected
from gateway.core.endpoint import Call, Scope, call_of, endpoint
from gateway.core.errors import Gone
from gateway.core.pagination import Page, check_limit, decode_cursor
from gateway.knowledge.memory import selectors as memory
from gateway.knowledge.memory import services
from gateway.knowledge.memory.types import Memory, Provenance, Status
from gateway.platform.telemetry.memories import memories as counted
from gateway.surfaces.v1.memories_access import changeable, reach_of, seen
from gateway.surfaces.v1.schemas.memories import MemoryDetailOut, MemoryOut
from gateway.surfaces.v1.schemas.memory_changes import ChangedMemoryOut, CorrectionIn, ForgottenOut, MemoryHistory
from tenants import plans
from tenants.context import in_tenant
from tenants.types import Principal

router = Router(tags=["memories"])
Change = Callable[..., Memory]


@router.get("/memories/{memory_id}", response=MemoryDetailOut, summary="One memory")
@endpoint(scope=Scope.MEMORIES_READ)
async def get_memory(request: HttpRequest, memory_id: str) -> MemoryDetailOut:
    """One memory with its sources. 410 once it is forgotten."""
    call = call_of(request)
    found, sources = await in_tenant(call.principal.ref, _one, call.principal, ids.parse("mem", memory_id))
    if found.status == Status.FORGOTTEN:
        raise Gone("This memory was forgotten.", code="memory_forgotten")
    call.read("memory.read", found.public_id, subject_id=found.subject_id)
    return MemoryDetailOut.with_sources(found, sources)


@router.patch("/memories/{memory_id}", response=MemoryOut, summary="Correct a memory")
@endpoint(scope=Scope.MEMORIES_WRITE)
async def correct_memory(request: HttpRequest, memory_id: str, body: CorrectionIn) -> MemoryOut:
    """The corrected memory, which has an id of its own and one version more; the old wording becomes history.

    ``expected_version`` or ``If-Match: "3"`` make it conditional. 409 when somebody else corrected it first or a newer
    fact took over (``current`` is what there is now, its id and version alone when it is beyond the key's reach)
    and when it would take over from a memory beyond that reach, 410 for a forgotten one."""
    call = call_of(request)
    given = {"expected_version": expected(request, body.expected_version), "reach": reach_of(call.principal)}
    return MemoryOut.of(await _changed(call, memory_id, services.correct, body.changes(), **given))


@router.delete("/memories/{memory_id}", response=ForgottenOut, summary="Forget a memory")
@endpoint(scope=Scope.MEMORIES_WRITE)
async def forget_memory(request: HttpRequest, memory_id: str) -> ForgottenOut:
    """It is not found from the next request on; its row is kept for 30 days. Every memory of the subject with the same
    words goes along (``also``). Forgetting twice is the same as once."""
    call = call_of(request)
    return ForgottenOut.of(await _changed(call, memory_id, services.forget, alike=reach_of(call.principal)))


@router.get("/memories/{memory_id}/history", response=MemoryHistory, summary="What was believed before and after")
@endpoint(scope=Scope.MEMORIES_READ)
async def memory_history(
    request: HttpRequest, memory_id: str, limit: int | None = None, cursor: str | None = None
) -> MemoryHistory:
    """The memory's corrections and the other values of its slot that took over from each other, the latest first.
    410 once it is forgotten."""
    call = call_of(request)
    found = await in_tenant(call.principal.ref, _history, call.principal, ids.parse("mem", memory_id), limit, cursor)
    whose = found.data[0].subject_id if found.data else None
    call.read("memory.read", memory_id, subject_id=whose, count=len(found.data))
    return MemoryHistory(data=[MemoryOut.of(one) for one in found.data], next_cursor=found.next_cursor)


@router.post("/memories/{memory_id}/restore", response=ChangedMemoryOut, summary="Undo a forgetting")
@endpoint(scope=Scope.MEMORIES_WRITE)
async def restore_memory(request: HttpRequest, memory_id: str) -> ChangedMemoryOut:
    """Within 30 days of the forgetting, with what was forgotten along with it; 410 afterwards, 409 when the same was
    stored anew meanwhile."""
    call = call_of(request)
    limit = plans.limits(call.principal.organization).memories
    given = {"limit_per_subject": limit, "reach": reach_of(call.principal)}
    return ChangedMemoryOut.of(await _changed(call, memory_id, services.restore, **given))


@router.post("/memories/{memory_id}/silence", response=ChangedMemoryOut, summary="Keep a memory and never recall it")
@endpoint(scope=Scope.MEMORIES_WRITE)
async def silence_memory(request: HttpRequest, memory_id: str) -> ChangedMemoryOut:
    """It stays in the lists, with its earlier wordings, and no recall finds it, nor any with the same words."""
    call = call_of(request)
    return ChangedMemoryOut.of(await _changed(call, memory_id, services.silence, reach=reach_of(call.principal)))


@router.post("/memories/{memory_id}/unsilence", response=ChangedMemoryOut, summary="Recall a silenced memory again")
@endpoint(scope=Scope.MEMORIES_WRITE)
async def unsilence_memory(request: HttpRequest, memory_id: str) -> ChangedMemoryOut:
    """Undo a silence, for all that it took along."""
    call = call_of(request)
    return ChangedMemoryOut.of(await _changed(call, memory_id, services.unsilence, reach=reach_of(call.principal)))


@router.post("/memories/{memory_id}/pin", response=MemoryOut, summary="Keep a memory in front")
@endpoint(scope=Scope.MEMORIES_WRITE)
async def pin_memory(request: HttpRequest, memory_id: str) -> MemoryOut:
    """Mark it; ``GET /v1/memories?pinned=true`` lists the marked ones."""
    return MemoryOut.of(await _changed(call_of(request), memory_id, services.pin))


@router.post("/memories/{memory_id}/unpin", response=MemoryOut, summary="Undo a pin")
@endpoint(scope=Scope.MEMORIES_WRITE)
async def unpin_memory(request: HttpRequest, memory_id: str) -> MemoryOut:
    """Take the mark away."""
    return MemoryOut.of(await _changed(call_of(request), memory_id, services.unpin))


async def _changed(call: Call, memory_id: str, change: Change, *args: Any, **given: Any) -> Memory:
    """What a service makes of a memory that the key may see."""
    principal: Principal = call.principal
    given |= {"actor": principal.actor, "request_id": call.request_id}
    changed = await in_tenant(principal.ref, _change, principal, ids.parse("mem", memory_id), change, args, given)
    counted.changed(change.__name__)
    return changed


def _change(
    principal: Principal, memory_id: UUID, change: Change, args: tuple[Any, ...], given: dict[str, Any]
) -> Memory:
    with transaction.atomic():
        changeable(principal, memory_id)
        return change(memory_id, *args, **given)


def _one(principal: Principal, memory_id: UUID) -> tuple[Memory, list[Provenance]]:
    return seen(principal, memory_id), memory.sources(memory_id)


def _history(principal: Principal, memory_id: UUID, limit: int | None, cursor: str | None) -> Page[Memory]:
    check_limit(limit)
    decode_cursor(cursor)
    if seen(principal, memory_id).status == Status.FORGOTTEN:
        raise Gone("This memory was forgotten.", code="memory_forgotten")
    reach = reach_of(principal)
    seen_by = memory.MemoryFilter(status=None, memory_scopes=reach.memory_scopes, personas=reach.personas)
    return memory.history(memory_id, seen_by, limit=limit, cursor=cursor)
