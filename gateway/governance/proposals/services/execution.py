"""Carrying out approved proposals, exactly once.

Two transactions. The first shows that the work has begun (``executing``, one attempt more). The second holds the
row's lock while it does everything at once: the effect, its assertion, the new state, the audit entry and the events.
The lock is the lease: it ends with the worker, whatever ends it, and nothing of the second transaction remains then.
Whoever comes next, a second delivery or the sweep, either finds the lock taken and leaves, or finds the state and
knows what is left to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, transaction

from gateway.core import clock, ids
from gateway.core.errors import GatewayError
from gateway.core.journal import SYSTEM
from gateway.core.plain import plain
from gateway.governance.proposals import registry, selectors
from gateway.governance.proposals.errors import ExecutorNotConfigured, NoAssertionWriter
from gateway.governance.proposals.models import ProposalRow
from gateway.governance.proposals.selectors import to_proposal
from gateway.governance.proposals.states import Step, after
from gateway.governance.proposals.trail import leave
from gateway.governance.proposals.types import Effect, Proposal, State
from gateway.platform.outbox.services import unmark
from gateway.platform.outbox.types import Kind

log = structlog.get_logger(__name__)
MAX_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class _Failure:
    code: str
    detail: str


def execute(proposal_id: UUID) -> Proposal:
    """Carry out one proposal that is approved and due; returns it as it is afterwards. Must not run inside a
    transaction.

    Does nothing for any other state, before ``execute_after``, or while another worker is at it. What the executor
    raises ends in ``failed``; a lost database is raised and leaves the proposal for the sweep. Raises
    UnknownProposal.
    """
    if _claim(proposal_id):
        _carry_out(proposal_id)
    return selectors.get(proposal_id)


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
            detail = f"{row.attempts} workers were lost while carrying out this proposal."
            _fail(row, _Failure("execution_interrupted", detail))
            return False
        row.state = after(State(row.state), Step.CLAIM)
        row.attempts, row.heartbeat_at = row.attempts + 1, now
        row.save(update_fields=["state", "attempts", "heartbeat_at"])
        return True


def _carry_out(proposal_id: UUID) -> None:
    with transaction.atomic(durable=True):
        mine = ProposalRow.objects.select_for_update(skip_locked=True)
        row = mine.filter(pk=proposal_id, state=State.EXECUTING).first()
        if row is None:
            return
        outcome = _attempt(to_proposal(row))
        if isinstance(outcome, _Failure):
            _fail(row, outcome)
        else:
            _succeed(row, outcome)


def _attempt(proposal: Proposal) -> Effect | _Failure:
    """The executor's effect with its assertion, or why there is none; in the second case nothing of it remains."""
    try:
        with transaction.atomic():
            return _effect(proposal)
    except (OperationalError, InterfaceError):
        raise  # the database, not the proposal: a later attempt may well succeed
    except GatewayError as error:
        return _Failure(error.code, error.detail)
    except Exception:
        log.exception("proposal.executor_failed", type=proposal.type, proposal=proposal.public_id)
        return _Failure("executor_error", "The executor failed for a reason of ours; it can be retried.")


def _effect(proposal: Proposal) -> Effect:
    executor = registry.find(proposal.type)
    if executor is None:
        raise ExecutorNotConfigured(f"Nothing here carries out proposals of type {proposal.type!r}.")
    effect = executor.run(proposal)
    if effect.assertion_id is not None:
        return Effect(plain(effect.result), effect.assertion_id)
    write = registry.assertion_writer()
    if write is None:
        raise NoAssertionWriter("Nothing is installed that keeps the assertion which every executed proposal leaves.")
    return Effect(plain(effect.result), write(proposal))


def _succeed(row: ProposalRow, effect: Effect) -> None:
    row.state = after(State(row.state), Step.SUCCEED)
    row.executed_at, row.result, row.assertion_id, row.error = clock.now(), effect.result, effect.assertion_id, None
    row.save(update_fields=["state", "executed_at", "result", "assertion_id", "error"])
    unmark(Kind.PROPOSAL, [row.id])
    facts = {"assertion_id": effect.assertion_id}
    leave(row, "write.executed", SYSTEM, detail=facts, event={**facts, "result": effect.result})


def _fail(row: ProposalRow, failure: _Failure) -> None:
    row.state = after(State(row.state), Step.FAIL)
    row.error = {"code": failure.code, "detail": failure.detail}
    row.save(update_fields=["state", "error"])
    unmark(Kind.PROPOSAL, [row.id])
    leave(row, "write.failed", SYSTEM, detail={"code": failure.code}, event={"error": row.error})
    log.warning("proposal.failed", type=row.type, proposal=ids.public("prop", row.id), code=failure.code)
