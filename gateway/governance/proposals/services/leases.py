"""The database's side of carrying a proposal out on somebody else's server: claim, keep, record.

Three kinds of short transaction, none of which is open while the network is awaited (``carrying`` does that). A claim
gives the worker a lease; while it works it renews the lease; whoever holds it records the end. A worker that dies
leaves a lease that runs out, and the next one calls again with the same key. Who lost the lease records nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, transaction

from gateway.core import clock, ids
from gateway.core.errors import GatewayError
from gateway.core.plain import plain
from gateway.governance.proposals import permissions, registry
from gateway.governance.proposals.dispatch import dispatch
from gateway.governance.proposals.errors import ExecutorNotConfigured, SubjectMissing
from gateway.governance.proposals.models import ProposalRow
from gateway.governance.proposals.selectors import to_proposal
from gateway.governance.proposals.services.execution import interrupted, writer
from gateway.governance.proposals.services.recording import MAX_ATTEMPTS, Failure, fail, succeed
from gateway.governance.proposals.states import Step, after
from gateway.governance.proposals.types import Effect, Proposal, State

log = structlog.get_logger(__name__)
HEARTBEAT_S = 4.0
LEASE = timedelta(seconds=15)
# Seconds until the next attempt when a server was away: after the first, the second, …
_PAUSES_S = (2, 10, 30, 60)


@dataclass(frozen=True, slots=True)
class Held:
    """A proposal that this worker alone carries out, and what the call needs."""

    proposal: Proposal
    lease_id: UUID
    prepared: Any


def claim(proposal_id: UUID) -> Held | None:
    """Take the lease of an approved and due proposal, or of one whose worker was lost; None when there is nothing to
    do. What cannot even begin (no target, no subject, too many lost workers) fails here."""
    with transaction.atomic(durable=True):
        row = ProposalRow.objects.select_for_update(skip_locked=True).filter(pk=proposal_id).first()
        if row is None or not _free(row):
            return None
        if row.state == State.EXECUTING and row.attempts >= MAX_ATTEMPTS:
            fail(row, _last(row))
            return None
        row.state = after(State(row.state), Step.CLAIM)
        row.attempts, row.heartbeat_at, row.lease_id = row.attempts + 1, clock.now(), ids.uuid7()
        try:
            with transaction.atomic():
                permissions.check(to_proposal(row))
                _can_be_remembered(to_proposal(row))
                ready = prepared(to_proposal(row))
        except (OperationalError, InterfaceError):
            raise
        except GatewayError as error:
            fail(row, Failure(error.code, error.detail))
            return None
        row.save(update_fields=["state", "attempts", "heartbeat_at", "lease_id"])
        return Held(to_proposal(row), row.lease_id, ready)


def beat(proposal_id: UUID, lease_id: UUID) -> bool:
    """Renew the lease; False when it is no longer ours."""
    mine = ProposalRow.objects.filter(pk=proposal_id, lease_id=lease_id)
    return mine.update(heartbeat_at=clock.now()) == 1


def done(held: Held, effect: Effect) -> None:
    """Record the effect with its assertion. What the assertion lacks does not unmake what has happened elsewhere: it
    is said beside the result."""
    with transaction.atomic(durable=True):
        row = mine(held.proposal.id, held.lease_id)
        if row is None:
            log.warning("proposal.lease_lost", type=held.proposal.type, proposal=held.proposal.public_id)
            return
        assertion_id, problem = effect.assertion_id, None
        if assertion_id is None:
            try:
                with transaction.atomic():
                    assertion_id = writer()(to_proposal(row))
            except (OperationalError, InterfaceError):
                raise
            except GatewayError as error:
                problem = Failure(error.code, f"It is done, but no assertion could be kept: {error.detail}")
        succeed(row, Effect(plain(effect.result), assertion_id), problem=problem)


def ended(held: Held, failure: Failure) -> None:
    """Record that it came to nothing: to be tried again after a pause if the trouble is passing, else failed."""
    with transaction.atomic(durable=True):
        row = mine(held.proposal.id, held.lease_id)
        if row is None:
            log.warning("proposal.lease_lost", type=held.proposal.type, proposal=held.proposal.public_id)
        elif failure.passing and row.attempts < MAX_ATTEMPTS:
            pause = _PAUSES_S[row.attempts - 1]
            row.lease_id, row.error = None, failure.wire
            row.execute_after = clock.now() + timedelta(seconds=pause)
            row.save(update_fields=["lease_id", "error", "execute_after"])
            dispatch(row.id, delay_s=pause)
        else:
            fail(row, failure)


def mine(proposal_id: UUID, lease_id: UUID) -> ProposalRow | None:
    """The locked row while the lease is still this worker's."""
    return ProposalRow.objects.select_for_update().filter(pk=proposal_id, lease_id=lease_id).first()


def _free(row: ProposalRow) -> bool:
    if row.state == State.EXECUTING and row.lease_id is not None:
        return not is_held(row)
    due = row.execute_after is None or row.execute_after <= clock.now()
    return row.state in {State.APPROVED, State.EXECUTING} and due


def is_held(row: ProposalRow) -> bool:
    """Whether a worker that is not known to be dead holds the lease."""
    return row.lease_id is not None and row.heartbeat_at is not None and row.heartbeat_at > clock.now() - LEASE


def _last(row: ProposalRow) -> Failure:
    """Why it ends: what the last attempt met, or that workers were lost."""
    error = row.error or {}
    return Failure(error["code"], error["detail"]) if error else interrupted(row.attempts)


def prepared(proposal: Proposal) -> Any:
    """What the call of this proposal needs. Raises ExecutorNotConfigured, and what the type's ``prepare`` does."""
    external = registry.external(proposal.type)
    if external is None:
        raise ExecutorNotConfigured(f"Nothing here carries out proposals of type {proposal.type!r} elsewhere.")
    return external.prepare(proposal)


def _can_be_remembered(proposal: Proposal) -> None:
    """What could not be remembered is not begun: unlike our own database's, its effect could not be undone."""
    writer()
    if proposal.subject_pk is None:
        raise SubjectMissing("The proposal names no subject, and what is carried out is remembered about its subject.")
