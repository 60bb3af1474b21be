"""The table of states, walked at random: nothing leaves a final state, and execution needs a yes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.governance.proposals.states import FINAL_STATES, ImpossibleStep, Step, after, possible
from gateway.governance.proposals.types import State


@given(st.lists(st.sampled_from(Step), max_size=25))
def test_walk__any_steps__keeps_the_rules(steps):
    state, approved, executed, claims = State.PENDING, False, 0, 0
    for step in steps:
        if step not in possible(state):
            with pytest.raises(ImpossibleStep):
                after(state, step)
            continue
        assert state not in FINAL_STATES
        state = after(state, step)
        approved = (approved or step is Step.APPROVE) and step is not Step.WITHDRAW
        claims += step is Step.CLAIM
        executed += step is Step.SUCCEED
        if state in {State.APPROVED, State.EXECUTING, State.EXECUTED, State.FAILED}:
            assert approved
        if state in {State.EXECUTED, State.FAILED}:
            assert claims >= 1
    assert executed <= 1
    assert (state is State.EXECUTED) == (executed == 1)


def test_possible__every_state__is_as_documented():
    assert {state: sorted(possible(state)) for state in State} == {
        State.PENDING: [Step.APPROVE, Step.EXPIRE, Step.REJECT],
        State.APPROVED: [Step.CLAIM, Step.WITHDRAW],
        State.EXECUTING: [Step.CLAIM, Step.FAIL, Step.SUCCEED],
        State.EXECUTED: [],
        State.FAILED: [Step.RETRY],
        State.REJECTED: [],
        State.EXPIRED: [],
    }
