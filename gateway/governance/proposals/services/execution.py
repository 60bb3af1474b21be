"""Carrying out approved proposals whose effect is in our own database, exactly once.

Two transactions. The first shows that the work has begun (``executing``, one attempt more). The second holds the
row's lock while it does everything at once: the effect, its assertion, the new state, the audit entry and the events.
The lock is the lease: it ends with the worker, whatever ends it, and nothing of the second transaction remains then.
Whoever comes next, a second delivery or the sweep, either finds the lock taken and leaves, or finds the state and
knows what is left to do.

A type whose effect is on somebody else's server is handed to ``carrying``, by way of a worker.
"""

from __future__ import annotations

from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, transaction

from gateway.core import clock
from gateway.core.errors import GatewayError
from gateway.core.plain import plain
from gateway.governance.proposals import permissions, registry, selectors
from gateway.governance.proposals.dispatch import dispatch
from gateway.governance.proposals.errors import ExecutorNotConfigured, NoAssertionWriter
from gateway.governance.proposals.models import ProposalRow
from gateway.governance.proposals.selectors import to_proposal
from gateway.governance.proposals.services.recording import MAX_ATTEMPTS, Failure, fail, succeed
from gateway.governance.proposals.states import Step, after
from gateway.governance.proposals.types import Effect, Proposal, State

log = structlog.get_logger(__name__)


def execute(proposal_id: UUID) -> Proposal:
    """Carry out one proposal that is approved and due; returns it as it is afterwards. Must not run inside a
    transaction.

    Does nothing for any other state, before ``execute_after``, or while another worker is at it. What the executor
    raises ends in ``failed``; a lost database is raised and leaves the proposal for the sweep. One that is carried out
    elsewhere is handed to a worker: no thread of the database waits for a network. Raises UnknownProposal.
    """
    found = selectors.get(proposal_id)
    if registry.external(found.type) is not None:
        if is_due(found):
            dispatch(proposal_id)
        return found
    if _claim(proposal_id):
        _carry_out(proposal_id)
    return selectors.get(proposal_id)


def is_due(proposal: Proposal) -> bool:
    """Whether it is approved and its undo window (or the pause before another attempt) is over; its worker may have
    been lost."""
    waiting = proposal.execute_after is not None and proposal.execute_after > clock.now()
    return proposal.state in {State.APPROVED, State.EXECUTING} and not waiting


def _claim(proposal_id: UUID) -> bool:
    """Show that the work begins; False when there is nothing to do. A worker that keeps dying on it fails the proposal
    in the end.
    """
    with transaction.atomic(durable=True):
        row = ProposalRow.objects.select_for_update(skip_locked=True).filter(pk=proposal_id).first()
        if row is None or row.state not in {State.APPROVED, State.EXECUTING}:
            return False
        now = clock.now()
        if row.state == State.APPROVED and row.execute_after is not None and row.execute_after > now:
            return False
        if row.state == State.EXECUTING and row.attempts >= MAX_ATTEMPTS:
            fail(row, interrupted(row.attempts))
            return False
        row.state = after(State(row.state), Step.CLAIM)
        row.attempts, row.heartbeat_at = row.attempts + 1, now
        row.save(update_fields=["state", "attempts", "heartbeat_at"])
        return True


def interrupted(attempts: int) -> Failure:
    """The failure of a proposal whose workers keep dying."""
    return Failure("execution_interrupted", f"{attempts} workers were lost while carrying out this proposal.")


def _carry_out(proposal_id: UUID) -> None:
    with transaction.atomic(durable=True):
        mine = ProposalRow.objects.select_for_update(skip_locked=True)
        row = mine.filter(pk=proposal_id, state=State.EXECUTING).first()
        if row is None:
            return
        outcome = _attempt(to_proposal(row))
        if isinstance(outcome, Failure):
            fail(row, outcome)
        else:
            succeed(row, outcome)


def _attempt(proposal: Proposal) -> Effect | Failure:
    """The executor's effect with its assertion, or why there is none; in the second case nothing of it remains."""
    try:
        with transaction.atomic():
            return _effect(proposal)
    except (OperationalError, InterfaceError):
        raise  # the database, not the proposal: a later attempt may well succeed
    except GatewayError as error:
        return Failure(error.code, error.detail)
    except Exception:
        log.exception("proposal.executor_failed", type=proposal.type, proposal=proposal.public_id)
        return Failure("executor_error", "The executor failed for a reason of ours; it can be retried.")


def _effect(proposal: Proposal) -> Effect:
    executor = registry.find(proposal.type)
    if executor is None or executor.run is None:
        raise ExecutorNotConfigured(f"Nothing here carries out proposals of type {proposal.type!r}.")
    permissions.check(proposal)
    effect = executor.run(proposal)
    if effect.assertion_id is not None:
        return Effect(plain(effect.result), effect.assertion_id)
    return Effect(plain(effect.result), writer()(proposal))


def writer() -> registry.AssertionWriter:
    """What writes assertions here. Raises NoAssertionWriter."""
    write = registry.assertion_writer()
    if write is None:
        raise NoAssertionWriter("Nothing is installed that keeps the assertion which every executed proposal leaves.")
    return write
