"""Taking back what was carried out, where the type allows it. It is a fact beside the state: the proposal stays
``executed``, because that it was.

A type of our own database takes it back in one transaction with the record. One that works elsewhere is asked for
first (``running``, with an outbox marker), then called under a lease as its execution was, then recorded.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, transaction

from gateway.core import clock, ids
from gateway.core.errors import GatewayError
from gateway.core.journal import SYSTEM, Actor
from gateway.core.plain import clean, plain
from gateway.governance.proposals import registry
from gateway.governance.proposals.errors import NotExecuted, NotReversible, UnknownProposal
from gateway.governance.proposals.models import ProposalRow
from gateway.governance.proposals.reach import check_allowed, reach_of
from gateway.governance.proposals.selectors import to_proposal
from gateway.governance.proposals.services.leases import Held, is_held, mine, prepared
from gateway.governance.proposals.services.recording import Failure
from gateway.governance.proposals.trail import leave
from gateway.governance.proposals.types import Proposal, State
from gateway.platform.outbox.services import mark, unmark
from gateway.platform.outbox.types import Kind
from tenants.types import Principal

log = structlog.get_logger(__name__)
RUNNING, DONE, FAILED = "running", "done", "failed"


def compensate(
    proposal_id: UUID,
    *,
    actor: Actor,
    comment: str = "",
    request_id: UUID | None = None,
    principal: Principal | None = None,
) -> Proposal:
    """Take an executed write back. One that works elsewhere is handed on by the caller (``carrying.take_back``), or
    by the sweep; asking again for one that is taken back or on its way answers it as it is.

    Raises UnknownProposal, Forbidden, NotExecuted, NotReversible, and whatever the type refuses with; then nothing has
    changed.
    """
    with transaction.atomic():
        row = ProposalRow.objects.select_for_update().filter(pk=proposal_id).first()
        if row is None:
            raise UnknownProposal("There is no such proposal.")
        check_allowed(principal, row.subject_id, row.persona_id, row.memory_scope)
        executor = registry.find(row.type)
        if row.state != State.EXECUTED:
            shown = to_proposal(row).state.value
            raise NotExecuted(f"The proposal is {shown}; only what was executed is taken back.", extra={"state": shown})
        if executor is None or not executor.reversible:
            raise NotReversible(f"What {row.type} did cannot be taken back.")
        if row.compensation_state in {RUNNING, DONE}:
            return to_proposal(row)
        row.compensation = {"by": str(actor), "at": clock.now().isoformat(), "comment": clean(comment)}
        if executor.undo is not None:
            asked = replace(to_proposal(row), reach=reach_of(principal))
            _finish(row, plain(executor.undo(asked)), actor, request_id)
        else:
            row.compensation_state, row.lease_id, row.heartbeat_at = RUNNING, None, clock.now()
            row.save(update_fields=["compensation", "compensation_state", "lease_id", "heartbeat_at"])
            mark(Kind.PROPOSAL, [row.id])
            leave(row, "write.compensation_asked", actor, request_id=request_id, announce=False)
    return to_proposal(row)


def claim(proposal_id: UUID) -> Held | None:
    """Take the lease of a compensation that was asked for and that no living worker is at; None when there is none."""
    with transaction.atomic(durable=True):
        rows = ProposalRow.objects.select_for_update(skip_locked=True)
        row = rows.filter(pk=proposal_id, compensation_state=RUNNING).first()
        if row is None or is_held(row):
            return None
        row.heartbeat_at, row.lease_id = clock.now(), ids.uuid7()
        try:
            with transaction.atomic():
                ready = prepared(to_proposal(row))
        except (OperationalError, InterfaceError):
            raise
        except GatewayError as error:
            _fail(row, Failure(error.code, error.detail))
            return None
        row.save(update_fields=["heartbeat_at", "lease_id"])
        return Held(to_proposal(row), row.lease_id, ready)


def done(held: Held, result: dict[str, Any]) -> None:
    """Record that it is taken back, and retract the assertion that it had happened."""
    with transaction.atomic(durable=True):
        row = mine(held.proposal.id, held.lease_id)
        if row is None:
            log.warning("proposal.lease_lost", type=held.proposal.type, proposal=held.proposal.public_id)
            return
        _finish(row, plain(result), SYSTEM, None)


def failed(held: Held, failure: Failure) -> None:
    """Record that it could not be taken back; it can be asked for again."""
    with transaction.atomic(durable=True):
        row = mine(held.proposal.id, held.lease_id)
        if row is not None:
            _fail(row, failure)


def _finish(row: ProposalRow, result: dict[str, Any], actor: Actor, request_id: UUID | None) -> None:
    retract = registry.assertion_retractor()
    if retract is not None:
        retract(to_proposal(row))
    executor = registry.find(row.type)
    withdrawn = executor.withdrawn if executor is not None else ()
    row.result = {name: value for name, value in (row.result or {}).items() if name not in withdrawn}
    row.compensation_state, row.lease_id = DONE, None
    row.compensation = {**(row.compensation or {}), "result": result}
    row.save(update_fields=["result", "compensation", "compensation_state", "lease_id"])
    unmark(Kind.PROPOSAL, [row.id])
    event = {"compensated_by": row.compensation["by"], "comment": row.compensation["comment"], "result": result}
    leave(row, "write.compensated", actor, request_id=request_id, detail={"by": event["compensated_by"]}, event=event)


def _fail(row: ProposalRow, failure: Failure) -> None:
    row.compensation_state, row.lease_id = FAILED, None
    row.compensation = {**(row.compensation or {}), "error": failure.wire}
    row.save(update_fields=["compensation", "compensation_state", "lease_id"])
    unmark(Kind.PROPOSAL, [row.id])
    leave(row, "write.compensation_failed", SYSTEM, detail={"code": failure.code}, announce=False)
    log.warning("proposal.compensation_failed", type=row.type, proposal=ids.public("prop", row.id), code=failure.code)
