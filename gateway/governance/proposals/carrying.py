"""Carrying proposals out on somebody else's server: claim, call, record, and no database connection in between.

The call is made with the proposal's id as its key, so that a repetition after a crash means the same. It runs on the
event loop; beside it the lease is renewed, and a worker that finds its lease gone gives up. The web process awaits it
while its caller waits; a worker runs it in a loop of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

import structlog
from django.db import connection

from gateway.core import background, ids
from gateway.core.egress import EgressRefused, close_pool
from gateway.core.errors import GatewayError, Unavailable, UpstreamError
from gateway.governance.proposals import registry, selectors, services
from gateway.governance.proposals.errors import EffectFailed, UnknownProposal
from gateway.governance.proposals.services import compensation, leases
from gateway.governance.proposals.services.recording import Failure
from gateway.governance.proposals.types import Effect, Proposal, State
from tenants.context import in_tenant
from tenants.types import OrgRef

log = structlog.get_logger(__name__)
T = TypeVar("T")
# How long a look at what is there may delay the answer.
LOOK_S = 1.5


class _LeaseLost(Exception):
    """Another worker has taken over."""


async def carry_out(ref: OrgRef, proposal_id: UUID) -> Proposal:
    """Carry out one proposal that is approved and due, wherever its effect is; returns it as it is afterwards. Called
    twice, it happens once. Raises UnknownProposal, and Unavailable when the database is away (the sweep goes on)."""
    found = await in_tenant(ref, selectors.get, proposal_id)
    external = registry.external(found.type)
    if external is None:
        return await in_tenant(ref, services.execute, proposal_id)
    held = await in_tenant(ref, leases.claim, proposal_id)
    if held is not None:
        outcome = await _attempted(ref, held, lambda: external.call(held.proposal, held.prepared))
        if isinstance(outcome, Failure):
            await in_tenant(ref, leases.ended, held, outcome)
        elif isinstance(outcome, Effect):
            await in_tenant(ref, leases.done, held, outcome)
    return await in_tenant(ref, selectors.get, proposal_id)


async def take_back(ref: OrgRef, proposal_id: UUID) -> Proposal:
    """Take back elsewhere what was carried out elsewhere, once it was asked for; as ``carry_out`` in all else."""
    found = await in_tenant(ref, selectors.get, proposal_id)
    external = registry.external(found.type)
    undo = external.undo if external is not None else None
    held = await in_tenant(ref, compensation.claim, proposal_id) if undo is not None else None
    if held is not None and undo is not None:
        outcome = await _attempted(ref, held, lambda: undo(held.proposal, held.prepared))
        if isinstance(outcome, Failure):
            await in_tenant(ref, compensation.failed, held, outcome)
        elif outcome is not None:
            await in_tenant(ref, compensation.done, held, outcome)
    return await in_tenant(ref, selectors.get, proposal_id)


async def looked(ref: OrgRef, proposal: Proposal) -> Proposal:
    """The proposal with what its server has there now beside its diff, while it is pending and where the type looks.
    A server that does not answer in time leaves the diff as it is and is named in it: a look never fails."""
    external = registry.external(proposal.type)
    if proposal.state is not State.PENDING or external is None or external.look is None:
        return proposal
    try:
        prepared = await in_tenant(ref, external.prepare, proposal)
        async with asyncio.timeout(LOOK_S):
            seen = await external.look(proposal, prepared)
    except TimeoutError:
        seen = {"look_failed": "upstream_timeout"}
    except GatewayError as error:
        seen = {"look_failed": error.code}
    return replace(proposal, diff={**proposal.diff, **seen})


async def go_on(ref: OrgRef, proposal_id: UUID) -> Proposal:
    """Whatever there is to do for a proposal: carry it out, or take it back where that was asked for."""
    found = await carry_out(ref, proposal_id)
    if found.compensation is not None and found.compensation.state == compensation.RUNNING:
        return await take_back(ref, proposal_id)
    return found


def run(ref: OrgRef, proposal_id: UUID) -> None:
    """``go_on`` from a worker's thread, in a loop of its own. The thread's connection goes back to the pool first: it
    has no use for it while the network is awaited."""
    connection.close()
    loop = asyncio.SelectorEventLoop()
    try:
        loop.run_until_complete(_closing(go_on(ref, proposal_id)))
    except UnknownProposal:
        log.info("proposal.gone", proposal=ids.public("prop", proposal_id))  # erased with its subject
    finally:
        loop.close()


async def _closing(work: Coroutine[Any, Any, T]) -> T:
    try:
        return await work
    finally:
        await close_pool()


async def _attempted(ref: OrgRef, held: leases.Held, call: Callable[[], Awaitable[T]]) -> T | Failure | None:
    """What the call came to, or why it came to nothing; None when another worker has taken over."""
    proposal = held.proposal
    try:
        outcome: T = await _under_lease(ref, held, call())
    except _LeaseLost:
        log.warning("proposal.lease_lost", type=proposal.type, proposal=proposal.public_id)
        return None
    except EffectFailed as error:
        return Failure(error.code, error.detail, passing=error.passing)
    except EgressRefused as error:
        return Failure(error.code, error.detail)
    except UpstreamError as error:
        return Failure(error.code, error.detail, passing=True)
    except GatewayError as error:
        return Failure(error.code, error.detail)
    except Exception:
        log.exception("proposal.executor_failed", type=proposal.type, proposal=proposal.public_id)
        return Failure("executor_error", "The executor failed for a reason of ours; it can be retried.")
    return outcome


async def _under_lease(ref: OrgRef, held: leases.Held, call: Awaitable[T]) -> T:
    work = background.start(_awaited(call), name="proposal-call")
    try:
        while True:
            await asyncio.wait({work}, timeout=leases.HEARTBEAT_S)
            if work.done():
                return work.result()
            if not await _still_ours(ref, held):
                raise _LeaseLost
    finally:
        work.cancel()


async def _awaited(call: Awaitable[T]) -> T:
    return await call


async def _still_ours(ref: OrgRef, held: leases.Held) -> bool:
    try:
        return await in_tenant(ref, leases.beat, held.proposal.id, held.lease_id)
    except Unavailable:
        log.warning("proposal.heartbeat_missed", proposal=held.proposal.public_id)
        return True  # not known to be lost; if it is, recording the end will find out
