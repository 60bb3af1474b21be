"""Several people, one vote each; many proposals at once; and what is settled per type."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connections

from gateway.core import clock, ids
from gateway.core.errors import Forbidden
from gateway.core.journal import Actor
from gateway.governance.proposals import selectors, settings
from gateway.governance.proposals.errors import AlreadyDecided
from gateway.governance.proposals.models import VoteRow
from gateway.governance.proposals.services import bulk, rules
from gateway.governance.proposals.types import ProposalFilter, State
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
    reject,
    trail,
)

THIRD = Actor("user", "usr_third")


def votes(ref):
    with scope(ref):
        return sorted(VoteRow.objects.values_list("voter", flat=True))


def settled(ref, quorum, expires_in_s=None):
    with scope(ref):
        rules.settle("test.note", quorum=quorum, expires_in_s=expires_in_s, actor=OWNER)


def test_approve__two_are_needed__the_second_person_approves(acme, globex):
    settled(acme, 2)
    proposal = propose(acme)
    first = approve(acme, proposal.id, comment="yes from me")
    assert (first.state, first.quorum, first.decided_by) == (State.PENDING, 2, None)
    assert [(one.by, one.comment) for one in first.approvals] == [(str(OWNER), "yes from me")]
    assert execute(acme, proposal.id).state is State.PENDING
    assert notes(acme) == []
    second = approve(acme, proposal.id, STRANGER)
    assert (second.state, second.decided_by, len(second.approvals)) == (State.APPROVED, str(STRANGER), 2)
    assert execute(acme, proposal.id).state is State.EXECUTED
    assert trail(acme)[0].count("proposal.voted") == 2
    assert trail(acme)[1].count("write.approved") == 1
    assert (propose(globex).quorum, votes(globex)) == (1, [])


def test_approve__one_person_twice_and_by_their_key__is_one_vote(acme):
    settled(acme, 2)
    proposal, person = propose(acme), ids.uuid7()
    caller = principal(acme)
    caller = replace(caller, key=replace(caller.key, owner_user_id=person))
    as_person = Actor("user", ids.public("usr", person))
    for how, who in ((as_person, None), (as_person, None), (caller.actor, caller)):
        assert approve(acme, proposal.id, how, principal=who).state is State.PENDING
    assert votes(acme) == [str(as_person)]
    assert approve(acme, proposal.id, OWNER).state is State.APPROVED


def test_approve__keys_that_nobody_answers_for__have_one_vote_together(acme):
    settled(acme, 2)
    proposal = propose(acme)
    for caller in (principal(acme), principal(acme)):
        found = approve(acme, proposal.id, caller.actor, principal=caller)
        assert (found.state, [one.by for one in found.approvals]) == (State.PENDING, ["key:without_owner"])
    assert (votes(acme), notes(acme)) == (["key:without_owner"], [])
    assert approve(acme, proposal.id, OWNER).state is State.APPROVED


def test_approve__a_policy__has_no_vote(acme):
    settled(acme, 2)
    proposal = propose(acme)
    assert approve(acme, proposal.id, Actor("policy", "org")).state is State.PENDING
    assert votes(acme) == []


def test_reject__after_a_yes__one_no_is_enough_and_final(acme):
    settled(acme, 3)
    proposal = propose(acme)
    approve(acme, proposal.id)
    assert reject(acme, proposal.id, STRANGER).state is State.REJECTED
    with pytest.raises(AlreadyDecided):
        approve(acme, proposal.id, THIRD)
    assert (votes(acme), notes(acme)) == ([str(OWNER)], [])


def test_approve__three_at_once_where_two_are_needed__approves_once(acme):
    settled(acme, 2)
    proposal, gate = propose(acme), threading.Barrier(3)

    def decide(who):
        gate.wait()
        try:
            approve(acme, proposal.id, who)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=decide, args=(who,)) for who in (OWNER, STRANGER, THIRD)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(votes(acme)) == 2
    assert trail(acme)[1].count("write.approved") == 1


def test_draft__asks_for_more_than_is_settled__the_higher_holds(acme):
    settled(acme, 2)
    assert propose(acme, draft(quorum=3)).quorum == 3
    assert propose(acme, draft(quorum=1)).quorum == 2


def test_settle__expiry__holds_for_new_proposals_and_is_audited(acme, globex):
    before = propose(acme)
    settled(acme, 1, expires_in_s=3600)
    after = propose(acme)
    assert timedelta(minutes=59) < after.expires_at - clock.now() <= timedelta(hours=1)
    assert before.expires_at - clock.now() > timedelta(days=6)
    explicit = propose(acme, draft(expires_in=timedelta(minutes=5)))
    assert explicit.expires_at - clock.now() <= timedelta(minutes=5)
    assert trail(acme)[0].count("proposal_type.settled") == 1
    with scope(globex):
        assert settings.settled() == {}


def _named(*proposals):
    return [(one.public_id, one.id) for one in proposals]


def test_bulk__mixed__decides_each_by_itself_and_hands_them_to_workers(acme, globex, dispatched):
    first, second, third = propose(acme), propose(acme), propose(acme)
    reject(acme, second.id, STRANGER)
    elsewhere = propose(globex)
    with scope(acme):
        found = bulk.decide_many(_named(first, second, third, elsewhere), yes=True, actor=OWNER, comment="all of them")
    assert [one.error.code if one.error else one.proposal.state for one in found] == [
        State.APPROVED, "already_decided", State.APPROVED, "proposal_not_found",
    ]  # fmt: skip
    assert found[1].error.extra["decided_by"] == str(STRANGER)
    assert [sent[1] for sent in dispatched] == [first.id, third.id]
    with scope(globex):
        assert selectors.get(elsewhere.id).state is State.PENDING
    assert [execute(acme, one.id).state for one in (first, third)] == [State.EXECUTED] * 2


def test_bulk__filter__finds_the_oldest_pending_of_what_the_key_may_see(acme):
    mine = [propose(acme), propose(acme)]
    propose(acme, draft(subject_id="ben"))
    approve(acme, propose(acme).id)
    caller = principal(acme, subject_ids=("ana",))
    with scope(acme):
        found, more = bulk.pending(ProposalFilter(type="test.note"), principal=caller)
        assert ([one.id for one in found], more) == ([one.id for one in mine], False)
        with pytest.raises(Forbidden):
            bulk.pending(ProposalFilter(subject_id="ben"), principal=caller)
        refused = bulk.decide_many(
            _named(*mine), yes=False, actor=caller.actor, principal=principal(acme, subject_ids=())
        )
        assert {one.error.code for one in refused} == {"subject_not_allowed"}
        assert {selectors.get(one.id).state for one in mine} == {State.PENDING}
