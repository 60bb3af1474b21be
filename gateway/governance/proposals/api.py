"""``/proposals``: list, look, decide, retry, take back."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router

from gateway.core import background, clock, ids
from gateway.core.endpoint import Call, Scope, call_of, endpoint
from gateway.core.pagination import check_limit, decode_cursor
from gateway.core.wire import Moment
from gateway.governance.proposals import carrying, registry, selectors, services
from gateway.governance.proposals.diff import shown
from gateway.governance.proposals.reach import reach_of
from gateway.governance.proposals.schemas import CompensateIn, DecisionIn, ProposalPageOut
from gateway.governance.proposals.types import Proposal, ProposalFilter, State
from gateway.governance.proposals.wire import ProposalOut
from tenants.context import in_tenant
from tenants.types import OrgRef

router = Router(tags=["proposals"])
# An answer says `executed` or `failed` when carrying out took less than two seconds, the reads around it included.
INLINE_S = 1.7


@router.get("/proposals", response=ProposalPageOut, summary="List proposals, newest first")
@endpoint(scope=Scope.PROPOSALS_READ, flag="enable_proposals")
async def list_proposals(
    request: HttpRequest,
    *,
    state: State | None = None,
    type_: Annotated[str | None, Query(max_length=64, alias="type")] = None,
    subject_id: Annotated[str | None, Query(max_length=128)] = None,
    persona_id: Annotated[str | None, Query(max_length=128)] = None,
    since: Moment | None = None,
    until: Moment | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> ProposalPageOut:
    """`since` (inclusive) and `until` (exclusive) are about when it was proposed. The diff of a pending one is against
    what is now; what of it the key may not read is left out, and `withheld` says why."""
    call = call_of(request)
    found = await in_tenant(
        call.principal.ref,
        selectors.look_page,
        ProposalFilter(state, type_, subject_id, persona_id, since, until),
        limit=check_limit(limit),
        after=decode_cursor(cursor),
        principal=call.principal,
    )
    call.read("proposal.read", "proposals", subject_id=subject_id, persona_id=persona_id)
    return ProposalPageOut.of(found)


@router.get("/proposals/{proposal_id}", response=ProposalOut, summary="One proposal with its diff")
@endpoint(scope=Scope.PROPOSALS_READ, flag="enable_proposals")
async def get_proposal(request: HttpRequest, proposal_id: str) -> ProposalOut:
    call = call_of(request)
    ref = call.principal.ref
    found = await in_tenant(ref, selectors.look, ids.parse("prop", proposal_id), principal=call.principal)
    found = await carrying.looked(ref, found)
    call.read("proposal.read", found.public_id, subject_id=found.subject_id, persona_id=found.persona_id)
    return ProposalOut.of(found)


@router.post("/proposals/{proposal_id}/approve", response=ProposalOut, summary="Approve, and carry out")
@endpoint(scope=Scope.PROPOSALS_DECIDE, flag="enable_proposals")
async def approve_proposal(request: HttpRequest, proposal_id: str, body: DecisionIn | None = None) -> ProposalOut:
    call = call_of(request)
    decided = await in_tenant(
        call.principal.ref,
        services.approve,
        ids.parse("prop", proposal_id),
        actor=call.principal.actor,
        comment=(body and body.comment) or "",
        undo_seconds=(body and body.undo_seconds) or 0,
        request_id=call.request_id,
        principal=call.principal,
    )
    return await _shown(call, await _carry_out(call.principal.ref, decided))


@router.post("/proposals/{proposal_id}/reject", response=ProposalOut, summary="Reject, or undo an approval in time")
@endpoint(scope=Scope.PROPOSALS_DECIDE, flag="enable_proposals")
async def reject_proposal(request: HttpRequest, proposal_id: str, body: DecisionIn | None = None) -> ProposalOut:
    call = call_of(request)
    found = await in_tenant(
        call.principal.ref,
        services.reject,
        ids.parse("prop", proposal_id),
        actor=call.principal.actor,
        comment=(body and body.comment) or "",
        request_id=call.request_id,
        principal=call.principal,
    )
    return await _shown(call, found)


@router.post("/proposals/{proposal_id}/retry", response=ProposalOut, summary="Carry out a failed proposal again")
@endpoint(scope=Scope.PROPOSALS_DECIDE, flag="enable_proposals")
async def retry_proposal(request: HttpRequest, proposal_id: str) -> ProposalOut:
    call = call_of(request)
    decided = await in_tenant(
        call.principal.ref,
        services.retry,
        ids.parse("prop", proposal_id),
        actor=call.principal.actor,
        request_id=call.request_id,
        principal=call.principal,
    )
    return await _shown(call, await _carry_out(call.principal.ref, decided))


@router.post("/proposals/{proposal_id}/compensate", response=ProposalOut, summary="Take back what was carried out")
@endpoint(scope=Scope.PROPOSALS_DECIDE, flag="enable_proposals")
async def compensate_proposal(request: HttpRequest, proposal_id: str, body: CompensateIn | None = None) -> ProposalOut:
    call = call_of(request)
    ref = call.principal.ref
    found = await in_tenant(
        ref,
        services.compensate,
        ids.parse("prop", proposal_id),
        actor=call.principal.actor,
        comment=(body and body.comment) or "",
        request_id=call.request_id,
        principal=call.principal,
    )
    if found.compensation is not None and found.compensation.state == "running":
        found = await _while_quick(ref, carrying.take_back(ref, found.id), found.id)
    return await _shown(call, found)


async def _shown(call: Call, proposal: Proposal) -> ProposalOut:
    """The proposal with as much of its diff as the caller may read."""
    if proposal.state is State.PENDING:
        return ProposalOut.of(await in_tenant(call.principal.ref, selectors.for_reader, proposal, call.principal))
    return ProposalOut.of(replace(proposal, diff=shown(proposal, reach_of(call.principal))))


async def _carry_out(ref: OrgRef, decided: Proposal) -> Proposal:
    """Carry a due proposal out while the caller waits, as far as that is quick; it goes on by itself when it is not."""
    if decided.state not in {State.APPROVED, State.EXECUTING} or not registry.runs_inline(decided.type):
        return decided
    if decided.execute_after is None or decided.execute_after > clock.now():
        return decided
    return await _while_quick(ref, carrying.carry_out(ref, decided.id), decided.id)


async def _while_quick(ref: OrgRef, work: Coroutine[Any, Any, Proposal], proposal_id: UUID) -> Proposal:
    """The proposal after ``work``, or as it is when that takes longer than a caller should wait; it goes on then."""
    try:
        return await asyncio.wait_for(asyncio.shield(background.start(work, name="proposal-execution")), INLINE_S)
    except TimeoutError:
        return await in_tenant(ref, selectors.get, proposal_id)
