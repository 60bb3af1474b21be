"""What approved proposals come to: a memory with its lineage, once, or nothing at all."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.journal import Actor
from gateway.governance.proposals import registry
from gateway.governance.proposals import services as proposals
from gateway.governance.proposals.types import Draft, Effect, Proposal, State
from gateway.knowledge.memory import executor, selectors, services
from gateway.knowledge.memory.models import MemoryRow, MemorySource
from gateway.knowledge.subjects.types import SubjectRef
from gateway.platform.events.models import EventRow
from tenants.context import scope
from tenants.models import OrganizationRow
from tenants.types import OrgRef
from tests.knowledge.memory.support import ALICE, ask, person, remember, texts


@pytest.fixture(autouse=True)
def only_memory_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry as memory leaves it, whatever other tests put into it."""
    monkeypatch.setattr(registry, "_executors", {})
    monkeypatch.setattr(registry, "_assertion_writer", None)
    executor.register()


def decided(subject: SubjectRef, payload: dict[str, Any], *, kind: str = "memory.upsert", **fields: Any) -> Proposal:
    """A proposal that was made, approved and carried out."""
    draft = Draft(
        kind, payload, subject.id, "sage", fields.pop("source", "gmail:msg_1"), 0.8, subject_pk=subject.pk, **fields
    )
    (proposal,), rejected = proposals.create([draft], actor=ALICE)
    assert rejected == ()
    proposals.approve(proposal.id, actor=ALICE)
    return proposals.execute(proposal.id)


def test_upsert__approved__is_a_memory_of_this_persona_with_both_sources(acme: OrgRef) -> None:
    ann = person("ann")
    with scope(acme):
        payload = {"text": "Moved to Berlin", "type": "event", "occurred_at": "2025-03-01T09:00:00+01:00"}
        proposal = decided(ann, payload)
        assert proposal.state == State.EXECUTED
        (memory,) = selectors.page(ann.pk).data
        assert proposal.result == {"memory_id": memory.public_id, "deduplicated": False}
        assert (memory.text, memory.type, memory.persona_id, memory.confidence) == (
            "Moved to Berlin", "event", "sage", 0.8,
        )  # fmt: skip
        assert (memory.provenance.source, memory.provenance.ref, memory.memory_scope) == ("gmail", "msg_1", "gmail")
        assert memory.occurred_at.isoformat() == "2025-03-01T08:00:00+00:00"
        assert list(MemorySource.objects.order_by("position").values_list("source", "ref")) == [
            ("gmail", "msg_1"), ("proposal", proposal.public_id),
        ]  # fmt: skip
        row = MemoryRow.objects.get()
        assert (row.proposal_id, row.source_kinds) == (proposal.id, ["gmail"])
        event = EventRow.objects.get(name="memory.created")
        assert (event.payload["proposal_id"], event.subject_id) == (proposal.public_id, "ann")
        assert texts(ask(ann, "berlin", personas=("sage",))) == ["Moved to Berlin"]
        assert texts(ask(ann, "berlin", personas=("vex",))) == []


def test_upsert__executed_twice__is_one_memory(acme: OrgRef) -> None:
    with scope(acme):
        proposal = decided(person(), {"text": "Likes tea"})
        assert proposals.execute(proposal.id).state == State.EXECUTED
        assert MemoryRow.objects.count() == 1


def test_upsert__plan_used_up__fails_with_its_code_and_stores_nothing(acme: OrgRef) -> None:
    OrganizationRow.objects.using("owner").filter(pk=acme.id).update(limits={"memories": 1})
    ann = person()
    with scope(acme):
        remember(ann, "One")
        proposal = decided(ann, {"text": "Two"})
        assert (proposal.state, proposal.error["code"]) == (State.FAILED, "plan_limit")
        assert MemoryRow.objects.count() == 1


@pytest.mark.parametrize(
    "payload", [{}, {"text": " "}, {"text": "x" * 16_001}, {"text": "x", "type": "poem"}, {"text": "x", "mood": 1}]
)
def test_upsert__payload_that_breaks_the_schema__never_becomes_a_proposal(acme: OrgRef, payload) -> None:
    with scope(acme):
        draft = Draft("memory.upsert", payload, "ann", "sage", "chat", 0.8, subject_pk=person().pk)
        made, rejected = proposals.create([draft], actor=ALICE)
        assert (made, len(rejected)) == ((), 1)
        assert rejected[0].problems


@pytest.mark.parametrize("when", ["tomorrow", "2025-03-01T09:00:00", "9999-12-31T23:59:59-14:00"])
def test_upsert__time_that_is_none__becomes_no_proposal_and_names_the_field(acme: OrgRef, when) -> None:
    with scope(acme):
        ann = person()
        draft = Draft("memory.upsert", {"text": "Likes tea", "occurred_at": when}, ann.id, "sage", "chat", 0.8, ann.pk)
        made, (rejected,) = proposals.create([draft], actor=ALICE)
        assert (made, [one.pointer for one in rejected.problems]) == ((), ["#/payload/occurred_at"])


def test_upsert__proposal_without_a_subject__fails(acme: OrgRef) -> None:
    with scope(acme):
        (proposal,), _ = proposals.create(
            [Draft("memory.upsert", {"text": "Likes tea"}, None, "sage", "chat", 0.8)], actor=ALICE
        )
        proposals.approve(proposal.id, actor=ALICE)
        assert proposals.execute(proposal.id).error["code"] == "subject_missing"


def test_assertion__of_another_executed_type__cites_the_proposal(acme: OrgRef) -> None:
    registry.register(registry.Executor("calendar.create", {"type": "object"}, lambda _: Effect({"ok": True})))
    ann = person("ann")
    with scope(acme):
        first = decided(ann, {"title": "STAT210 Quiz", "when": "2025-11-07"}, kind="calendar.create")
        assert first.state == State.EXECUTED
        (memory,) = selectors.page(ann.pk).data
        assert (memory.type, memory.text) == ("event", "calendar.create: when: 2025-11-07; title: STAT210 Quiz")
        assert (memory.provenance.source, memory.provenance.ref) == ("proposal", first.public_id)
        assert (memory.memory_scope, memory.persona_id) == ("gmail", "sage")
        second = decided(ann, {"title": "STAT210 Quiz", "when": "2025-11-07"}, kind="calendar.create")
        assert second.state == State.EXECUTED
        refs = MemorySource.objects.filter(source="proposal").values_list("ref", flat=True)
        assert set(refs) == {first.public_id, second.public_id}


def test_upsert__of_what_was_forgotten__needs_a_persons_approval(acme: OrgRef) -> None:
    ann = person("ann")
    with scope(acme):
        services.forget(remember(ann, "Likes tea").id, actor=ALICE)
        draft = Draft("memory.upsert", {"text": "She likes tea."}, "ann", "sage", "chat", 0.9, subject_pk=ann.pk)
        (by_rule, by_person), _ = proposals.create([draft, draft], actor=ALICE)
        proposals.approve(by_rule.id, actor=Actor("rule", "rule_1"))
        failed = proposals.execute(by_rule.id)
        assert (failed.state, failed.error["code"]) == (State.FAILED, "forgotten_before")
        assert texts(ask(ann, "tea")) == []
        proposals.approve(by_person.id, actor=ALICE)
        assert proposals.execute(by_person.id).state == State.EXECUTED
        assert texts(ask(ann, "tea")) == ["She likes tea."]


def test_upsert__contradicts_what_is_better_known__takes_over_once_it_is_approved(acme: OrgRef) -> None:
    ann = person("ann")
    with scope(acme):
        old = remember(ann, "Lives in Oslo", slot="home.city", value="Oslo", persona_id="sage")
        payload = {"text": "Lives in Lund", "slot": "home.city", "value": "Lund", "about": "Ann", "pii_tags": ["home"]}
        assert decided(ann, payload, source="web:page").state == State.EXECUTED
        assert selectors.get(old.id).status == "superseded"
        (memory,) = selectors.page(ann.pk).data
        assert (memory.text, memory.about, memory.pii_tags, memory.trust) == ("Lives in Lund", "Ann", ("home",), 0)
