"""Proposals of two organizations, decided by two people, carried out, killed, swept and taken back in any order: a
model says what must hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from gateway.core import clock
from gateway.core.errors import Conflict
from gateway.governance.proposals import carrying, dispatch, registry, selectors, services
from gateway.governance.proposals.errors import EffectFailed
from gateway.governance.proposals.models import ProposalRow, VoteRow
from gateway.governance.proposals.services import compensation, leases
from gateway.governance.proposals.types import Effect, Proposal, State
from tenants.context import scope
from tenants.types import OrgRef
from tests.governance.proposals.support import OWNER, STRANGER, draft, propose, registered

PEOPLE = (OWNER, STRANGER)
KIND = "test.far"


@dataclass
class Elsewhere:
    """Somebody else's server: it keeps what it was told under its key, and can be made to fail."""

    kept: dict[str, int] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    trouble: str = ""

    async def call(self, proposal: Proposal, prepared: object) -> Effect:
        if self.trouble:
            raise EffectFailed("no", code="webhook_refused", passing=self.trouble == "passing")
        self.kept.setdefault(proposal.public_id, 0)
        self.kept[proposal.public_id] += 1
        return Effect({"key": proposal.public_id})

    async def undo(self, proposal: Proposal, prepared: object) -> dict[str, bool]:
        self.removed.add(proposal.public_id)
        return {"removed": True}


@dataclass
class Known:
    """What the model knows of one proposal."""

    org: OrgRef
    id: UUID
    kind: str
    quorum: int
    yes: set[str] = field(default_factory=set)
    decided: str = ""  # approved, rejected
    ever_called: bool = False


@contextmanager
def far_type(server: Elsewhere) -> Iterator[None]:
    with registered():
        external = registry.External(prepare=lambda proposal: None, call=server.call, undo=server.undo)
        registry.register(registry.Executor(KIND, {"type": "object"}, external=external))
        yield


class Life(RuleBasedStateMachine):
    """The organizations are set by the test; each run makes its own proposals in them."""

    acme: OrgRef
    globex: OrgRef
    made = Bundle("made")

    def __init__(self) -> None:
        super().__init__()
        self.server = Elsewhere()
        self.known: list[Known] = []
        self.type = far_type(self.server)
        self.type.__enter__()
        self.sent, dispatch._send = dispatch._send, lambda ref, proposal_id, delay_s: None

    def teardown(self) -> None:
        dispatch._send = self.sent
        self.type.__exit__(None, None, None)

    @rule(target=made, where=st.sampled_from(["acme", "globex"]), far=st.booleans(), quorum=st.sampled_from([1, 1, 2]))
    def propose(self, where: str, far: bool, quorum: int) -> Known:
        ref = getattr(self, where)
        given = draft(type=KIND if far else "test.note", quorum=quorum, subject_pk=UUID(int=7))
        made = propose(ref, given)
        self.known.append(Known(ref, made.id, given.type, quorum))
        return self.known[-1]

    @rule(one=made, who=st.sampled_from(PEOPLE), undo=st.sampled_from([0, 600]))
    def approve(self, one: Known, who: object, undo: int) -> None:
        before = self.state(one)
        with scope(one.org):
            if before in {State.REJECTED, State.EXPIRED}:
                with pytest.raises(Conflict) as refused:
                    services.approve(one.id, actor=who, undo_seconds=undo)
                assert before is State.EXPIRED or refused.value.extra["decided_by"]
                return
            after = services.approve(one.id, actor=who, undo_seconds=undo).state
        if before is State.PENDING:
            one.yes.add(str(who))
            enough = len(one.yes) >= one.quorum
            assert after is (State.APPROVED if enough else State.PENDING)
            one.decided = "approved" if enough else ""
        else:
            assert after is before

    @rule(one=made, who=st.sampled_from(PEOPLE))
    def reject(self, one: Known, who: object) -> None:
        before, row = self.state(one), self.row(one)
        undoable = before is State.APPROVED and row.execute_after > clock.now()
        with scope(one.org):
            if before in {State.PENDING, State.REJECTED} or undoable:
                assert services.reject(one.id, actor=who).state is State.REJECTED
                one.decided = "rejected"
            else:
                with pytest.raises(Conflict):
                    services.reject(one.id, actor=who)
                assert self.state(one) is before

    @rule(one=made)
    def time_passes(self, one: Known) -> None:
        """Undo windows and pauses are over, leases have run out."""
        with scope(one.org):
            past = clock.now() - timedelta(hours=1)
            ProposalRow.objects.filter(pk=one.id, execute_after__isnull=False).update(execute_after=past)
            ProposalRow.objects.filter(pk=one.id, heartbeat_at__isnull=False).update(heartbeat_at=past)

    @rule(one=made)
    def week_passes(self, one: Known) -> None:
        with scope(one.org):
            ProposalRow.objects.filter(pk=one.id).update(expires_at=clock.now() - timedelta(seconds=1))
        if self.state(one) is State.EXPIRED:
            one.decided = ""

    @rule(one=made, trouble=st.sampled_from(["", "", "passing", "lasting"]))
    def deliver(self, one: Known, trouble: str) -> None:
        """A worker gets the message, perhaps not for the first time."""
        self.server.trouble = trouble
        before = self.state(one)
        carrying.run(one.org, one.id)
        self.server.trouble = ""
        if before in {State.PENDING, State.REJECTED, State.EXPIRED, State.EXECUTED, State.FAILED}:
            assert self.state(one) is before

    @rule(one=made, called=st.booleans())
    def worker_dies(self, one: Known, called: bool) -> None:
        """It claims, perhaps calls, and is gone before it records."""
        if one.kind != KIND:
            return
        with scope(one.org):
            held = leases.claim(one.id)
        if held is not None and called:
            self.server.kept[held.proposal.public_id] = self.server.kept.get(held.proposal.public_id, 0) + 1

    @rule(one=made)
    def sweep(self, one: Known) -> None:
        with scope(one.org):
            services.sweep(grace=timedelta(0))

    @rule(one=made)
    def retry(self, one: Known) -> None:
        before = self.state(one)
        with scope(one.org):
            if before in {State.FAILED, State.APPROVED, State.EXECUTING}:
                services.retry(one.id, actor=OWNER)
            else:
                with pytest.raises(Conflict):
                    services.retry(one.id, actor=OWNER)

    @rule(one=made, finish=st.booleans())
    def compensate(self, one: Known, finish: bool) -> None:
        before = self.state(one)
        with scope(one.org):
            if before is not State.EXECUTED or one.kind != KIND:
                with pytest.raises(Conflict):
                    services.compensate(one.id, actor=OWNER)
                return
            services.compensate(one.id, actor=OWNER)
        if finish:
            carrying.run(one.org, one.id)

    @invariant()
    def holds(self) -> None:
        for one in self.known:
            found = self.row(one)
            public_id = selectors.to_proposal(found).public_id
            with scope(one.org):
                votes = set(VoteRow.objects.filter(proposal_id=one.id).values_list("voter", flat=True))
            if one.quorum > 1:
                assert votes == one.yes
            state = self.state(one)
            if state in {State.APPROVED, State.EXECUTING, State.EXECUTED, State.FAILED}:
                assert one.decided == "approved"
                assert len(one.yes) >= one.quorum
            if state is State.REJECTED:
                assert one.decided == "rejected"
            if state in {State.PENDING, State.REJECTED, State.EXPIRED}:
                assert public_id not in self.server.kept
                assert (found.result, found.assertion_id) == (None, None)
            if state is State.EXECUTED:
                assert found.assertion_id == f"mem_of_{public_id}"
                assert one.kind != KIND or self.server.kept[public_id] >= 1
            undone = found.compensation_state == compensation.DONE
            assert undone is (public_id in self.server.removed)
            assert found.compensation_state is None or state is State.EXECUTED
            other = self.globex if one.org == self.acme else self.acme
            with scope(other):
                assert not ProposalRow.objects.filter(pk=one.id).exists()

    def row(self, one: Known) -> ProposalRow:
        with scope(one.org):
            return ProposalRow.objects.get(pk=one.id)

    def state(self, one: Known) -> State:
        return selectors.to_proposal(self.row(one)).state


@pytest.mark.usefixtures("executor")
def test_life__any_order_of_decisions_deaths_and_repeats__keeps_the_rules(acme: OrgRef, globex: OrgRef) -> None:
    registry._executors.pop("test.note")
    Life.acme, Life.globex = acme, globex
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=8, stateful_step_count=22, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
