"""Rules that need no person: what they cover, their caps under concurrency, what they may never loosen, and history."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connections

from gateway.core import clock
from gateway.governance.policies.merge import merge
from gateway.governance.policies.types import Approval, Fields, Level, Overlay, Writes
from gateway.governance.proposals import auto, selectors, services, settings, simulation
from gateway.governance.proposals.errors import UnknownRule
from gateway.governance.proposals.models import ProposalRow
from gateway.governance.proposals.rules import RuleSpec
from gateway.governance.proposals.services import rules
from gateway.governance.proposals.types import State
from tenants.context import scope
from tests.factories.organizations import principal
from tests.governance.proposals.support import OWNER, approve, draft, execute, notes, propose, reject, trail

PLAIN = merge([])
SURE = RuleSpec("sure", ("test.*",), 0.8)


def policy(*, locks: Writes | None = None, defaults: Writes | None = None):
    return merge([Overlay(Level.ORG, "", Fields(writes=locks or Writes()), Fields(writes=defaults or Writes()))])


def make(ref, spec=SURE):
    with scope(ref):
        return rules.create_rule(spec, actor=OWNER)


def decide(ref, given, holds=PLAIN):
    proposal = propose(ref, given)
    with scope(ref):
        return auto.decide(holds, proposal)


def test_decide__a_rule_covers_it__is_approved_executed_and_names_the_rule(acme, globex):
    rule = make(acme)
    done = decide(acme, draft("by rule"))
    assert (done.state, done.rule_id, done.decided_by) == (State.EXECUTED, rule.id, f"rule:{rule.public_id}")
    assert notes(acme) == ["assertion", "by rule"]
    assert decide(globex, draft("waits")).state is State.PENDING
    assert (notes(globex), trail(globex)[1]) == ([], ["proposal.created"])


@pytest.mark.parametrize(
    ("spec", "given"),
    [
        (RuleSpec("other type", ("memory.*",), 0.0), {}),
        (RuleSpec("surer", ("test.*",), 0.95), {}),
        (RuleSpec("other persona", ("test.*",), 0.0, personas=("iris",)), {}),
        (RuleSpec("persona unknown", ("test.*",), 0.0, personas=("sage",)), {"persona_id": None}),
        (RuleSpec("disabled", ("test.*",), 0.0, enabled=False), {}),
        (RuleSpec("two people", ("test.*",), 0.0), {"quorum": 2}),
        (RuleSpec("per subject", ("test.*",), 0.0, per_subject_per_day=9), {"subject_id": None}),
    ],
    ids=lambda value: value.name if isinstance(value, RuleSpec) else "",
)
def test_decide__no_rule_covers_it__waits_for_a_person(acme, spec, given):
    make(acme, spec)
    assert decide(acme, draft(**given)).state is State.PENDING
    assert notes(acme) == []


@pytest.mark.parametrize(
    ("holds", "state"),
    [
        (policy(defaults=Writes(approval=Approval.MANUAL)), State.PENDING),
        (policy(locks=Writes(approval=Approval.MANUAL)), State.PENDING),
        (policy(locks=Writes(auto_types=("memory.*",))), State.PENDING),
        (policy(locks=Writes(min_confidence=0.99)), State.PENDING),
        (policy(defaults=Writes(approval=Approval.AUTO)), State.EXECUTED),
        (policy(locks=Writes(auto_types=("test.note",))), State.EXECUTED),
    ],
    ids=["manual", "manual locked", "types locked", "confidence locked", "auto", "its type locked"],
)
def test_decide__what_policy_says__is_never_loosened_by_a_rule(acme, holds, state):
    make(acme)
    assert decide(acme, draft(), holds).state is state
    assert (notes(acme) == []) is (state is State.PENDING)


def test_decide__the_policy_itself_approves__needs_no_rule(acme):
    holds = policy(defaults=Writes(approval=Approval.AUTO, auto_types=("test.note",), min_confidence=0.5))
    done = decide(acme, draft(), holds)
    assert (done.state, done.decided_by, done.rule_id) == (State.EXECUTED, "policy:org", None)


def test_decide__cap_of_a_day__is_exact_under_concurrency(acme):
    make(acme, RuleSpec("few", ("test.*",), 0.0, per_day=3))
    proposals = [propose(acme, draft(str(number))) for number in range(8)]
    gate = threading.Barrier(8)

    def one(proposal):
        gate.wait()
        try:
            with scope(acme):
                auto.decide(PLAIN, proposal)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=(proposal,)) for proposal in proposals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    states = [execute(acme, one.id).state for one in proposals]
    assert (states.count(State.EXECUTED), states.count(State.PENDING)) == (3, 5)
    assert notes(acme).count("assertion") == 3


def test_decide__cap_per_subject__counts_each_by_itself_and_starts_anew_each_day(acme):
    make(acme, RuleSpec("one each", ("test.*",), 0.0, per_subject_per_day=1))
    first = decide(acme, draft())
    assert first.state is State.EXECUTED
    assert decide(acme, draft()).state is State.PENDING
    assert decide(acme, draft(subject_id="ben")).state is State.EXECUTED
    with scope(acme):
        ProposalRow.objects.filter(pk=first.id).update(decided_at=clock.now() - timedelta(days=1))
    assert decide(acme, draft()).state is State.EXECUTED


def test_rules__made_replaced_deleted__are_audited_and_their_own_organizations(acme, globex):
    rule = make(acme)
    with scope(acme):
        changed = rules.replace_rule(rule.id, RuleSpec("off", ("test.*",), 0.8, enabled=False), actor=OWNER)
        assert (changed.spec.enabled, settings.rules(enabled_only=True)) == (False, [])
    with scope(globex):
        for touch in (settings.rule, lambda rule_id: rules.delete_rule(rule_id, actor=OWNER)):
            with pytest.raises(UnknownRule):
                touch(rule.id)
    with scope(acme):
        rules.delete_rule(rule.id, actor=OWNER)
        assert settings.rules() == []
    assert trail(acme)[0] == ["proposal_rule.created", "proposal_rule.deleted", "proposal_rule.updated"]
    assert trail(globex)[0] == []


def history(ref):
    """Ten decided by people (7 yes, 3 no), one by a policy, one pending, one of another type, one unsure."""
    for number in range(7):
        approve(ref, propose(ref, draft(f"yes {number}")).id)
    for number in range(3):
        reject(ref, propose(ref, draft(f"no {number}")).id, comment="wrong")
    with scope(ref):
        auto.decide(policy(defaults=Writes(Approval.AUTO, ("test.note",))), propose(ref, draft("machine")))
    propose(ref, draft("pending"))
    propose(ref, draft(type="free.form"))
    reject(ref, propose(ref, draft("unsure", confidence=0.2)).id)


def test_simulate__over_history__says_what_it_would_have_done_and_whom_people_agreed_with(acme, globex):
    history(acme)
    propose(globex)
    before = trail(acme)
    with scope(acme):
        found = simulation.simulate(SURE, days=7)
    assert (found.considered, found.covered, found.capped, found.would_approve) == (14, 12, 0, 12)
    assert (found.decided_by_people, found.agreed, found.rejected_by_people) == (10, 7, 3)
    assert (found.decided_by_machines, found.undecided, found.agreement) == (1, 1, 0.7)
    assert [one.payload["text"] for one in found.disagreements] == ["no 2", "no 1", "no 0"]
    assert {one.comment for one in found.disagreements} == {"wrong"}
    assert trail(acme) == before
    with scope(globex):
        assert simulation.simulate(SURE, days=7).considered == 1


def test_simulate__what_waits_for_people_whatever_rules_say__is_not_counted(acme):
    with scope(acme):
        for given in (draft("of an application"), draft("of a contradiction")):
            services.create([given], actor=OWNER)
    propose(acme, draft("of a persona"))
    with scope(acme):
        found = simulation.simulate(SURE, days=7)
    assert (found.considered, found.would_approve) == (1, 1)


def test_simulate__caps_days_and_narrow_keys__count_as_they_would(acme):
    history(acme)
    with scope(acme):
        capped = simulation.simulate(RuleSpec("five", ("test.*",), 0.8, per_day=5), days=7)
        assert (capped.covered, capped.capped, capped.would_approve, capped.agreement) == (12, 7, 5, 1.0)
        ProposalRow.objects.update(created_at=clock.now() - timedelta(days=3))
        assert simulation.simulate(SURE, days=2).considered == 0
        nobody = simulation.simulate(SURE, days=7, principal=principal(acme, subject_ids=("ben",)))
        assert (nobody.considered, nobody.agreement) == (0, None)


def test_simulate__what_the_rule_then_does__agrees_with_the_simulation(acme):
    spec = RuleSpec("two each", ("test.*",), 0.5, personas=("sage",), per_day=4, per_subject_per_day=2)
    given = [
        draft(str(number), subject_id=("ana", "ben", "cem")[number % 3], confidence=(0.4, 0.9)[number % 4 > 0],
              persona_id=("sage", "iris")[number % 5 == 0])
        for number in range(14)
    ]  # fmt: skip
    make(acme, spec)
    approved = {one.id for one in (decide(acme, one) for one in given) if one.state is State.EXECUTED}
    with scope(acme):
        found = simulation.simulate(spec, days=1)
        states = {row.id for row in ProposalRow.objects.exclude(rule_id=None)}
        assert len(selectors.list_page(selectors.ProposalFilter(), limit=50, after=None).data) == 14
    assert states == approved
    assert (found.would_approve, found.decided_by_machines) == (len(approved), len(approved))
