"""The life of a proposal, as a table. Pure: no clock, no database.

pending ──approve──▶ approved ──claim──▶ executing ──succeed──▶ executed
   │ │                  │ ▲                │  ▲ └──fail──▶ failed
   │ └─expire▶ expired  │ └────────────────┼──┼─────retry────┘
   └──reject──▶ rejected ◀──withdraw───────┘  └ claim (its worker died)
                        (from approved only)
"""

from __future__ import annotations

from enum import StrEnum

from gateway.governance.proposals.types import State


class Step(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    EXPIRE = "expire"
    WITHDRAW = "withdraw"
    CLAIM = "claim"
    SUCCEED = "succeed"
    FAIL = "fail"
    RETRY = "retry"


class ImpossibleStep(RuntimeError):
    """Code took a step that the table does not have."""


_TABLE: dict[tuple[State, Step], State] = {
    (State.PENDING, Step.APPROVE): State.APPROVED,
    (State.PENDING, Step.REJECT): State.REJECTED,
    (State.PENDING, Step.EXPIRE): State.EXPIRED,
    (State.APPROVED, Step.WITHDRAW): State.REJECTED,
    (State.APPROVED, Step.CLAIM): State.EXECUTING,
    (State.EXECUTING, Step.CLAIM): State.EXECUTING,
    (State.EXECUTING, Step.SUCCEED): State.EXECUTED,
    (State.EXECUTING, Step.FAIL): State.FAILED,
    (State.FAILED, Step.RETRY): State.APPROVED,
}
APPROVED_STATES = frozenset({State.APPROVED, State.EXECUTING, State.EXECUTED, State.FAILED})
FINAL_STATES = frozenset({State.EXECUTED, State.REJECTED, State.EXPIRED})


def possible(state: State) -> frozenset[Step]:
    """The steps that lead out of a state."""
    return frozenset(step for (before, step) in _TABLE if before is state)


def after(state: State, step: Step) -> State:
    """The state that a step leads to. Raises ImpossibleStep when there is no such step."""
    try:
        return _TABLE[state, step]
    except KeyError:
        raise ImpossibleStep(f"A proposal that is {state} cannot {step}.") from None
