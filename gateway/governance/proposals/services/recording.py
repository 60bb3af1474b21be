"""How an attempt to carry out ends: the new state, the audit entry and the events, in the caller's transaction and on
a row that it has locked.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from gateway.core import clock, ids
from gateway.core.journal import SYSTEM
from gateway.governance.proposals.models import ProposalRow
from gateway.governance.proposals.states import Step, after
from gateway.governance.proposals.trail import leave
from gateway.governance.proposals.types import Effect, State
from gateway.platform.outbox.services import unmark
from gateway.platform.outbox.types import Kind

log = structlog.get_logger(__name__)
# After so many attempts that ended in nothing (a worker died, a server was away) a proposal is failed.
MAX_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt came to nothing. ``passing``: the same attempt may succeed in a moment."""

    code: str
    detail: str
    passing: bool = False

    @property
    def wire(self) -> dict[str, str]:
        return {"code": self.code, "detail": self.detail}


def succeed(row: ProposalRow, effect: Effect, *, problem: Failure | None = None) -> None:
    """It is done. ``problem``: what went wrong after the effect, which nobody can undo any more."""
    row.state = after(State(row.state), Step.SUCCEED)
    row.executed_at, row.result, row.assertion_id = clock.now(), effect.result, effect.assertion_id
    row.error, row.lease_id = problem.wire if problem else None, None
    row.save(update_fields=["state", "executed_at", "result", "assertion_id", "error", "lease_id"])
    unmark(Kind.PROPOSAL, [row.id])
    facts = {"assertion_id": effect.assertion_id}
    leave(row, "write.executed", SYSTEM, detail=facts, event={**facts, "result": effect.result})


def fail(row: ProposalRow, failure: Failure) -> None:
    """It is not done, and will not be until somebody retries it."""
    row.state = after(State(row.state), Step.FAIL)
    row.error, row.lease_id = failure.wire, None
    row.save(update_fields=["state", "error", "lease_id"])
    unmark(Kind.PROPOSAL, [row.id])
    leave(row, "write.failed", SYSTEM, detail={"code": failure.code}, event={"error": row.error})
    log.warning("proposal.failed", type=row.type, proposal=ids.public("prop", row.id), code=failure.code)
