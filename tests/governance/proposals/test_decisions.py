"""Yes, no, twice, too late, and by two people at once."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connections

from gateway.core import clock
from gateway.core.errors import Forbidden
from gateway.governance.proposals import selectors, services
from gateway.governance.proposals.errors import AlreadyDecided, NotFailed, ProposalExpired, UnknownProposal
from gateway.governance.proposals.types import State
from gateway.platform.outbox import selectors as outbox
from gateway.platform.outbox.types import Kind
from tenants.context import scope
from tests.factories.organizations import principal
from tests.governance.proposals.support import (
    OWNER,
    STRANGER,
    approve,
    draft,
    execute,
    notes,
    propose,
    registered,
    reject,
    trail,
)


def _marked(ref):
    return outbox.refs(connections["batch"], Kind.PROPOSAL, ref.id)


def test_approve__pending__is_approved_and_due_with_trail_and_marker(acme, dispatched):
    proposal = propose(acme)
    decided = approve(acme, proposal.id, comment="fine")
    assert (decided.state, decided.decided_by, decided.comment) == (State.APPROVED, "user:usr_owner", "fine")
    assert decided.execute_after <= clock.now()
    assert _marked(acme) == [proposal.id]
    assert trail(acme) == (["proposal.created", "write.approved"], ["proposal.created", "write.approved"])
    assert dispatched == []  # whoever approved carries it out at once
    assert notes(acme) == []


def test_approve__with_undo__is_handed_to_a_worker_for_later(acme, dispatched):
    proposal = propose(acme)
    decided = approve(acme, proposal.id, undo_seconds=10)
    assert timedelta(seconds=9) < decided.execute_after - clock.now() <= timedelta(seconds=10)
    assert dispatched == [(acme, proposal.id, 10)]
    assert execute(acme, proposal.id).state is State.APPROVED
    assert notes(acme) == []


def test_approve__type_is_slow__is_handed_to_a_worker_at_once(acme, dispatched):
    proposal = propose(acme)
    from gateway.governance.proposals import registry

    registry._executors.pop("test.note")
    with registered(inline=False):
        approve(acme, proposal.id)
    assert dispatched == [(acme, proposal.id, 0)]


def test_approve__again__answers_the_same_and_changes_nothing(acme):
    proposal = propose(acme)
    first = approve(acme, proposal.id, comment="first")
    assert approve(acme, proposal.id, STRANGER, comment="second", undo_seconds=99) == first
    done = execute(acme, proposal.id)
    assert approve(acme, proposal.id, STRANGER) == done
    assert (done.state, done.comment, done.decided_by) == (State.EXECUTED, "first", "user:usr_owner")
    assert trail(acme)[0].count("write.approved") == 1
    assert notes(acme) == ["assertion", "hello"]


def test_reject__pending__is_final_and_nothing_happens(acme):
    proposal = propose(acme)
    decided = reject(acme, proposal.id, comment="no")
    assert (decided.state, decided.comment, decided.decided_by) == (State.REJECTED, "no", "user:usr_owner")
    assert reject(acme, proposal.id, STRANGER) == decided
    assert execute(acme, proposal.id).state is State.REJECTED
    assert (notes(acme), _marked(acme)) == ([], [])
    assert trail(acme) == (["proposal.created", "write.rejected"], ["proposal.created", "write.rejected"])


def test_approve__after_a_rejection__conflicts_saying_who_and_when(acme):
    proposal = propose(acme)
    decided = reject(acme, proposal.id)
    with pytest.raises(AlreadyDecided) as refused:
        approve(acme, proposal.id, STRANGER)
    assert (refused.value.http_status, refused.value.code) == (409, "already_decided")
    assert refused.value.extra == {
        "state": "rejected",
        "verdict": "rejected",
        "decided_by": "user:usr_owner",
        "decided_at": decided.decided_at.isoformat(),
    }
    assert notes(acme) == []


@pytest.mark.parametrize("carried_out", [False, True])
def test_reject__after_an_approval__conflicts_and_leaves_it(acme, carried_out):
    proposal = propose(acme)
    approve(acme, proposal.id)
    if carried_out:
        execute(acme, proposal.id)
    with pytest.raises(AlreadyDecided) as refused:
        reject(acme, proposal.id, STRANGER)
    assert refused.value.extra["verdict"] == "approved"
    assert execute(acme, proposal.id).state is State.EXECUTED


def test_reject__within_the_undo_window__withdraws_the_approval(acme):
    proposal = propose(acme)
    approve(acme, proposal.id, undo_seconds=60)
    decided = reject(acme, proposal.id, STRANGER)
    assert (decided.state, decided.decided_by, decided.execute_after) == (State.REJECTED, "user:usr_stranger", None)
    assert execute(acme, proposal.id).state is State.REJECTED
    assert (notes(acme), _marked(acme)) == ([], [])
    assert trail(acme)[1] == ["proposal.created", "write.approved", "write.rejected"]


@pytest.mark.parametrize("decide", [approve, reject])
def test_decide__too_late__conflicts_and_is_expired_for_good(acme, decide):
    proposal = propose(acme, draft(expires_in=timedelta(seconds=-1)))
    for _ in range(2):
        with pytest.raises(ProposalExpired) as refused:
            decide(acme, proposal.id)
        assert (refused.value.http_status, refused.value.code) == (409, "proposal_expired")
    assert execute(acme, proposal.id).state is State.EXPIRED
    assert trail(acme) == (["proposal.created", "proposal.expired"], ["proposal.created", "proposal.expired"])
    assert notes(acme) == []


def test_decide__scoped_key_of_another_subject__is_refused_and_nothing_changes(acme):
    proposal = propose(acme)
    for caller, code in (
        (principal(acme, subject_ids=("ben",)), "subject_not_allowed"),
        (principal(acme, persona_ids=()), "persona_not_allowed"),
    ):
        for decide in (approve, reject):
            with pytest.raises(Forbidden) as refused:
                decide(acme, proposal.id, principal=caller)
            assert refused.value.code == code
    with scope(acme):
        assert selectors.get(proposal.id) == proposal
    assert approve(acme, proposal.id, principal=principal(acme, subject_ids=("ana",))).state is State.APPROVED


def test_decide__another_organizations_proposal__does_not_exist(acme, globex):
    proposal = propose(acme)
    for decide in (approve, reject):
        with pytest.raises(UnknownProposal):
            decide(globex, proposal.id)
    with scope(acme):
        assert selectors.get(proposal.id).state is State.PENDING


def test_decide__two_people_at_once__one_wins_and_the_other_hears_it(acme):
    for _ in range(5):
        proposal, outcomes, gate = propose(acme), [], threading.Barrier(2)

        def decide(how, actor, gate=gate, outcomes=outcomes, proposal=proposal):
            gate.wait()
            try:
                outcomes.append(how(acme, proposal.id, actor).state)
            except AlreadyDecided as error:
                outcomes.append(error.extra["decided_by"])
            finally:
                connections.close_all()

        threads = [
            threading.Thread(target=decide, args=(approve, OWNER)),
            threading.Thread(target=decide, args=(reject, STRANGER)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(outcomes) in ({State.APPROVED, "user:usr_owner"}, {State.REJECTED, "user:usr_stranger"})


def test_retry__failed__is_carried_out_again(acme):
    from gateway.governance.proposals import registry

    registry.register(registry.Executor("ticket.create", {"type": "object"}, lambda given: None))
    proposal = propose(acme, draft(type="ticket.create"))
    registry._executors.pop("ticket.create")  # as after a release that knows the type no more
    approve(acme, proposal.id)
    failed = execute(acme, proposal.id)
    assert (failed.state, failed.error["code"]) == (State.FAILED, "executor_not_configured")
    assert _marked(acme) == []
    with scope(acme):
        again = services.retry(proposal.id, actor=STRANGER)
        assert services.retry(proposal.id, actor=STRANGER) == again
    assert (again.state, again.error, again.decided_by) == (State.APPROVED, None, "user:usr_owner")
    assert _marked(acme) == [proposal.id]
    assert execute(acme, proposal.id).state is State.FAILED
    assert trail(acme)[0].count("proposal.retried") == 1
    assert trail(acme)[1].count("write.failed") == 2


@pytest.mark.parametrize("state", ["pending", "rejected", "executed"])
def test_retry__not_failed__conflicts(acme, state):
    proposal = propose(acme)
    if state == "rejected":
        reject(acme, proposal.id)
    if state == "executed":
        approve(acme, proposal.id)
        execute(acme, proposal.id)
    before = notes(acme)
    with scope(acme), pytest.raises(NotFailed) as refused:
        services.retry(proposal.id, actor=OWNER)
    assert refused.value.extra == {"state": state}
    assert notes(acme) == before
