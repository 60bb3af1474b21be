"""The types of our own database, with the real memory: forgetting, drafting, what they show, and taking them back."""

from __future__ import annotations

import email
from email.policy import default
from typing import Any

import pytest

from gateway.governance.proposals import registry, selectors, services
from gateway.governance.proposals.errors import DraftGone, NoDraft, NotExecuted, NotReversible
from gateway.governance.proposals.executors.email import eml
from gateway.governance.proposals.types import Draft, ProposalFilter, State
from gateway.knowledge.memory import executor as memory_executor
from gateway.knowledge.memory import services as memories
from gateway.knowledge.memory.models import MemoryRow
from gateway.knowledge.memory.types import NewMemory, Provenance
from gateway.knowledge.subjects import services as subjects
from gateway.knowledge.subjects.types import SubjectRef
from tenants.context import scope
from tenants.types import OrgRef
from tests.governance.proposals.support import CHAT, OWNER, trail

LETTER = {
    "to": ["sam@example.org"],
    "cc": ["kim@example.org"],
    "subject": "Grüße ☕",
    "body": "Hallo Sam,\nbis bald.\n",
}


@pytest.fixture(autouse=True)
def real_assertions(executor: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_assertion_writer", memory_executor.write_assertion)


def who(ref: OrgRef, name: str = "ana") -> SubjectRef:
    with scope(ref):
        return subjects.ensure(name)


def remembered(ref: OrgRef, text: str, name: str = "ana", **fields: Any) -> Any:
    person = who(ref, name)
    with scope(ref):
        new = NewMemory(text, Provenance("chat"), **fields)
        return memories.create(person, new, actor=CHAT, limit_per_subject=None)


def proposed(ref: OrgRef, kind: str, payload: dict[str, Any], name: str = "ana") -> Any:
    person = who(ref, name)
    with scope(ref):
        made, rejected = services.create(
            [Draft(kind, payload, person.id, "sage", "chat", 0.9, subject_pk=person.pk)], actor=CHAT
        )
        assert rejected == ()
        return made[0]


def done(ref: OrgRef, proposal: Any) -> Any:
    with scope(ref):
        services.approve(proposal.id, actor=OWNER)
        return services.execute(proposal.id)


def undone(ref: OrgRef, proposal: Any) -> Any:
    with scope(ref):
        return services.compensate(proposal.id, actor=OWNER, comment="sorry")


def status(ref: OrgRef, memory: Any) -> str:
    with scope(ref):
        return MemoryRow.objects.get(pk=memory.id).status


def test_forget__approved__the_memory_is_gone_and_comes_back_when_compensated(acme: OrgRef, globex: OrgRef) -> None:
    memory = remembered(acme, "Was born in Lyon")
    proposal = proposed(acme, "memory.forget", {"memory_id": memory.public_id, "reason": "asked for"})
    assert proposal.diff == {"before": "Was born in Lyon", "after": None}
    assert status(acme, memory) == "active"
    found = done(acme, proposal)
    assert (found.state, found.assertion_id) == (State.EXECUTED, memory.public_id)
    assert status(acme, memory) == "forgotten"
    back = undone(acme, proposal)
    assert (back.state, back.compensation.state, back.compensation.comment) == (State.EXECUTED, "done", "sorry")
    assert status(acme, memory) == "active"
    assert undone(acme, proposal) == back
    assert trail(acme)[1].count("write.compensated") == 1
    assert trail(globex)[1] == []


def test_forget__memory_of_another_subject_or_persona__becomes_no_proposal(acme: OrgRef, globex: OrgRef) -> None:
    others = remembered(acme, "Has a secret", "ben")
    private = remembered(acme, "Told to somebody else", persona_id="iris")
    elsewhere = remembered(globex, "In another organization")
    for memory in (others, private, elsewhere):
        person = who(acme)
        payload = {"memory_id": memory.public_id}
        with scope(acme):
            given = Draft("memory.forget", payload, person.id, "sage", "chat", 0.9, subject_pk=person.pk)
            made, (rejected,) = services.create([given], actor=CHAT)
        assert (made, rejected.problems[0].code) == ((), "memory_not_found")
    assert (status(acme, others), status(acme, private), status(globex, elsewhere)) == ("active", "active", "active")


def test_upsert__slot_changes_before_the_decision__the_diff_follows(acme: OrgRef) -> None:
    remembered(acme, "Lives in Lyon", slot="home.city", value="Lyon")
    payload = {"text": "Lives in Nice", "slot": "home.city", "value": "Nice"}
    proposal = proposed(acme, "memory.upsert", payload)
    assert proposal.diff == {"before": "Lives in Lyon", "after": "Lives in Nice"}
    remembered(acme, "Lives in Paris", slot="home.city", value="Paris")
    with scope(acme):
        assert selectors.look(proposal.id).diff == {"before": "Lives in Paris", "after": "Lives in Nice"}
        (listed,) = selectors.look_page(ProposalFilter(), limit=9, after=None).data
        assert listed.diff == {"before": "Lives in Paris", "after": "Lives in Nice"}
    done(acme, proposal)
    with scope(acme):
        assert selectors.look(proposal.id).diff["before"] == "Lives in Paris"  # as it was when decided
        wanted = ProposalFilter(state=State.EXECUTED)
        assert selectors.look_page(wanted, limit=9, after=None).data[0].diff["before"] == "Lives in Paris"


def test_upsert__compensated__is_forgotten_but_not_what_was_known_before(acme: OrgRef) -> None:
    proposal = done(acme, proposed(acme, "memory.upsert", {"text": "Likes tea"}))
    with scope(acme):
        assert MemoryRow.objects.get().status == "active"
    assert undone(acme, proposal).compensation.state == "done"
    with scope(acme):
        assert MemoryRow.objects.get().status == "forgotten"
    known = remembered(acme, "Has a boat", persona_id="sage")
    again = done(acme, proposed(acme, "memory.upsert", {"text": "Has a boat"}))
    assert again.result["deduplicated"] is True
    with pytest.raises(NotReversible):
        undone(acme, again)
    assert status(acme, known) == "active"
    with scope(acme):
        assert selectors.get(again.id).compensation is None


def test_compensate__not_executed__is_refused_and_changes_nothing(acme: OrgRef) -> None:
    proposal = proposed(acme, "memory.upsert", {"text": "Likes tea"})
    with pytest.raises(NotExecuted) as refused:
        undone(acme, proposal)
    assert refused.value.extra == {"state": "pending"}
    with scope(acme):
        assert selectors.get(proposal.id) == proposal


def test_draft__approved__is_a_message_to_download_until_it_is_taken_back(acme: OrgRef) -> None:
    proposal = proposed(acme, "email.draft", LETTER)
    with pytest.raises(NoDraft):
        eml(proposal)
    found = done(acme, proposal)
    message = email.message_from_bytes(eml(found), policy=default)
    assert (message["To"], message["Cc"], message["Subject"]) == ("sam@example.org", "kim@example.org", "Grüße ☕")
    assert (message.get_content().replace("\r\n", "\n"), message["X-Unsent"]) == ("Hallo Sam,\nbis bald.\n", "1")
    assert message["Message-ID"] == f"<{proposal.public_id}@ikiro>"
    with scope(acme):
        memory = MemoryRow.objects.get()
        assert (memory.proposal_id, memory.status) == (proposal.id, "active")
    back = undone(acme, found)
    with pytest.raises(DraftGone):
        eml(back)
    with scope(acme):
        assert MemoryRow.objects.get().status == "forgotten"  # what it left in memory is retracted


@pytest.mark.parametrize(
    ("kind", "payload", "pointer"),
    [
        ("email.draft", {**LETTER, "to": ["not an address"]}, "#/payload/to/0"),
        ("email.draft", {**LETTER, "subject": "a\nBcc: all@example.org"}, "#/payload/subject"),
        ("email.draft", {**LETTER, "to": ["a@b.c\r\nBcc: x@y.z"]}, "#/payload/to/0"),
        ("memory.forget", {"memory_id": "mem_1"}, "#/payload/memory_id"),
        ("webhook.call", {"target": "../etc", "data": {}}, "#/payload/target"),
        ("webhook.call", {"url": "http://169.254.169.254/", "data": {}}, "#/payload"),
        ("calendar.create", {"when": "2026-11-07"}, "#/payload"),
    ],
    ids=range(7),
)
def test_create__payload_that_does_not_fit__never_becomes_a_proposal(
    acme: OrgRef, kind: str, payload: dict[str, Any], pointer: str
) -> None:
    with scope(acme):
        made, rejected = services.create([Draft(kind, payload, "ana", "sage", "chat", 0.9)], actor=CHAT)
        assert (made, rejected[0].problems[0].pointer) == ((), pointer)
    assert trail(acme) == ([], [])


def test_upsert__a_tombstone_of_the_same__is_lifted_only_by_what_a_person_approved(acme: OrgRef) -> None:
    memory = remembered(acme, "Likes tea", persona_id="sage")
    with scope(acme):
        memories.forget(memory.id, actor=CHAT)
    found = done(acme, proposed(acme, "memory.upsert", {"text": "Likes tea"}))
    assert found.state is State.EXECUTED
    with scope(acme):
        assert MemoryRow.objects.filter(status="active").count() == 1
