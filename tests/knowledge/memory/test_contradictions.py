"""Contradictions, corroboration and history: what a slot makes of what is said of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.core import clock
from gateway.core.errors import GatewayError
from gateway.governance.proposals import selectors as proposals
from gateway.governance.proposals.types import ProposalFilter, State
from gateway.knowledge.memory import selectors, services
from gateway.knowledge.memory.models import MemoryRow, MemorySource, SubjectState
from gateway.knowledge.memory.placement import Reach
from gateway.knowledge.memory.slots import is_single, name_of, value_key
from gateway.knowledge.memory.wording import digest, restates
from gateway.platform.audit.models import AuditRow
from gateway.platform.events.models import EventRow
from tenants.context import scope
from tests.knowledge.memory.support import ALICE, ask, new, person, remember, texts

JAN, MAR, JUN, SEP = (datetime(2025, month, 1, tzinfo=UTC) for month in (1, 3, 6, 9))


@pytest.fixture
def inside(acme):
    with scope(acme):
        yield acme


def lives(subject, city, at, **fields):
    return remember(subject, f"Lives in {city}", slot="home.city", value=city, occurred_at=at, **fields)


def write(subject, text, **fields):
    """One item's result."""
    (result,) = services.create_many([(subject, new(text, **fields))], actor=ALICE, limit_per_subject=None)
    return result


@pytest.mark.parametrize(
    ("slot", "single"),
    [
        ("home.city", True), ("work.employer", True), ("status", True), ("home.address", True), ("likes:tea", True),
        ("likes", False), ("pets", False), ("hobby", False), ("food.allergy", False), ("names[]", False),
    ],
)  # fmt: skip
def test_slot__by_its_last_part__has_one_value_or_several(slot, single) -> None:
    assert is_single(name_of(slot)) is single


def test_value_key__same_value_otherwise_written__is_equal() -> None:
    assert value_key("  Bergen ") == value_key("BERGEN") != value_key("Oslo")
    assert value_key({"a": 1, "B": ["X"]}) == value_key({"b": ["x"], "a": 1.0})
    assert value_key(None) is None
    assert value_key(True) != value_key(1)


@pytest.mark.parametrize(
    ("text", "known", "same"),
    [
        ("The user prefers green tea.", "Prefers green tea", True),
        ("green tea preferred", "Prefers green tea", False),
        ("Doesn't like tea", "Likes tea", False),
        ("Moved to Berlin", "Moved to Oslo", False),
        ("Has 3 cats", "Has 2 cats", False),
        ("tea", "Prefers green tea with milk and two spoons of sugar", False),
    ],
)
def test_restates__same_words__only_then(text, known, same) -> None:
    assert restates(text, known) is same
    assert (digest(text) == digest(known)) <= same


def test_create__another_value__takes_over_and_keeps_the_old_as_history(inside) -> None:
    ann = person("ann")
    old = lives(ann, "Oslo", JAN)
    fresh = lives(ann, "Bergen", JUN)
    was = selectors.get(old.id)
    assert (was.status, was.valid_to, was.superseded_by, was.corrected) == ("superseded", JUN, fresh.id, False)
    assert was.retired_at is not None
    assert texts(ask(ann, "lives")) == ["Lives in Bergen"]
    assert texts(ask(ann, "lives", as_of=MAR)) == ["Lives in Oslo"]
    assert SubjectState.objects.get(pk=ann.pk).count == 1
    entry = AuditRow.objects.filter(target=fresh.public_id).get()
    assert entry.detail["superseded"] == [old.public_id]
    (event,) = EventRow.objects.filter(name="memory.updated")
    assert event.payload == {"memory_id": fresh.public_id, "supersedes": old.public_id}
    assert [one.id for one in selectors.history(old.id).data] == [fresh.id, old.id]


def test_create__old_news__is_history_and_leaves_the_newer_fact_alone(inside) -> None:
    ann = person()
    now = lives(ann, "Bergen", JUN)
    late = lives(ann, "Oslo", JAN)
    assert (late.status, late.valid_from, late.valid_to, late.superseded_by) == ("superseded", JAN, JUN, now.id)
    assert selectors.get(now.id).status == "active"
    middle = lives(ann, "Lund", MAR)
    assert (middle.valid_from, middle.valid_to) == (MAR, JUN)
    assert selectors.get(late.id).valid_to == MAR
    assert [texts(ask(ann, "lives", as_of=at)) for at in (JAN, MAR, JUN)] == [
        ["Lives in Oslo"], ["Lives in Lund"], ["Lives in Bergen"],
    ]  # fmt: skip
    assert SubjectState.objects.get(pk=ann.pk).count == 1


def test_create__same_value_in_other_words__is_one_more_source(inside) -> None:
    ann = person()
    first = remember(ann, "Lives in Bergen", slot="home.city", value="Bergen", ref="1", confidence=0.5)
    again = remember(ann, "Her home is in Bergen", slot="Home.City", value="bergen", ref="2", confidence=0.5)
    assert (again.id, again.deduplicated, again.confidence) == (first.id, True, 0.75)
    assert MemorySource.objects.filter(memory_id=first.id).count() == 2


def test_create__same_value_denied__is_a_contradiction(inside) -> None:
    ann = person()
    old = remember(ann, "Drinks coffee", slot="drinks:coffee", value=True, occurred_at=JAN)
    fresh = remember(ann, "Doesn't drink coffee", slot="drinks:coffee", value=True, occurred_at=JUN)
    assert (selectors.get(old.id).superseded_by, fresh.deduplicated) == (fresh.id, False)


@pytest.mark.parametrize(
    "other",
    [
        {"slot": "pets", "value": "cat"},
        {"slot": None, "value": "Bergen"},
        {"value": None},
        {"persona_id": "sage"},
        {"valid_to": SEP},
    ],
    ids=["several values", "no slot", "no value", "narrower audience", "true for a while"],
)
def test_create__nothing_to_contradict__both_stay(inside, other) -> None:
    ann = person()
    slot = other.get("slot") or "home.city"
    first = remember(ann, "It is Oslo", slot=slot, value="Oslo", occurred_at=JAN)
    second = remember(ann, "It is Bergen", **{"slot": slot, "value": "Bergen", "occurred_at": JUN, **other})
    assert [selectors.get(one.id).status for one in (first, second)] == ["active", "active"]


def test_create__other_subject_or_organization__is_not_contradicted(acme, globex) -> None:
    ann, bob = person("ann"), person("bob")
    with scope(globex):
        theirs = lives(ann, "Oslo", JAN)
    with scope(acme):
        first = lives(ann, "Oslo", JAN)
        lives(bob, "Bergen", JUN)
        assert selectors.get(first.id).status == "active"
    with scope(globex):
        assert selectors.get(theirs.id).status == "active"


def test_create__future_fact__leaves_the_present_one_until_then(inside) -> None:
    ann = person()
    soon = clock.now() + timedelta(days=30)
    now = lives(ann, "Oslo", JAN)
    later = remember(ann, "Moves to Bergen", slot="home.city", value="Bergen", valid_from=soon)
    was = selectors.get(now.id)
    assert (was.status, was.valid_to) == ("active", soon)
    assert selectors.get(later.id).status == "active"
    assert texts(ask(ann, "Oslo Bergen")) == ["Lives in Oslo"]


@pytest.mark.parametrize(
    "weaker",
    [{"source": "web", "ref": "p1"}, {"source": "gmail", "ref": "m1"}, {"confidence": 0.6}, {"speaker": "Assistant"}],
    ids=["outside document", "first-party tool", "less sure", "assistant's words"],
)
def test_create__contradicts_what_is_better_known__becomes_a_proposal(inside, weaker) -> None:
    ann = person("ann")
    known = lives(ann, "Oslo", JAN)
    fields = {"slot": "home.city", "value": "Bergen", "occurred_at": JUN, **weaker}
    result = write(ann, "Lives in Bergen", **fields)
    assert (result.id, result.error) == (None, None)
    assert write(ann, "Lives in Bergen", **fields).proposal_id == result.proposal_id
    proposal = proposals.get(result.proposal_id)
    assert (proposal.type, proposal.state, proposal.subject_id) == ("memory.upsert", State.PENDING, "ann")
    assert proposal.diff == {"before": "Lives in Oslo", "after": "Lives in Bergen"}
    assert (proposal.payload["slot"], proposal.payload["value"]) == ("home.city", "Bergen")
    assert texts(ask(ann, "lives")) == ["Lives in Oslo"]
    assert (selectors.get(known.id).status, MemoryRow.objects.count()) == ("active", 1)
    assert len(proposals.list_page(ProposalFilter(), limit=10, after=None).data) == 1


def test_create__narrowed_key_contradicts_beyond_its_reach__becomes_a_proposal(inside) -> None:
    ann = person()
    lives(ann, "Oslo", JAN, source="user")
    item = new("Lives in Bergen", slot="home.city", value="Bergen", occurred_at=JUN)
    (result,) = services.create_many(
        [(ann, item)], actor=ALICE, limit_per_subject=None, reach=Reach(memory_scopes=("chat",))
    )
    assert result.proposal_id is not None
    assert texts(ask(ann, "lives")) == ["Lives in Oslo"]


def test_create__contradiction_by_proposal_alone__is_refused_and_leaves_nothing(inside) -> None:
    ann = person()
    lives(ann, "Oslo", JAN)
    with pytest.raises(GatewayError) as refused:
        lives(ann, "Bergen", JUN, source="web")
    assert refused.value.code == "memory_contradicts"
    assert proposals.list_page(ProposalFilter(), limit=10, after=None).data == []


def test_create_many__there_and_back_in_one_batch__is_one_current_fact(inside) -> None:
    ann = person()
    told = [("Oslo", JAN), ("Bergen", MAR), ("Oslo", JUN)]
    items = [
        (ann, new(f"Lives in {city}", slot="home.city", value=city, occurred_at=at, ref=str(at))) for city, at in told
    ]
    results = services.create_many(items, actor=ALICE, limit_per_subject=2)
    rows = [selectors.get(result.stored) for result in results]
    assert [(row.status, row.valid_to) for row in rows] == [("superseded", MAR), ("superseded", JUN), ("active", None)]
    assert [row.superseded_by for row in rows] == [rows[1].id, rows[2].id, None]
    assert SubjectState.objects.get(pk=ann.pk).count == 1
    again = services.create_many(items, actor=ALICE, limit_per_subject=2)
    assert [result.id for result in again] == [result.id for result in results]
    assert MemoryRow.objects.count() == 3


def test_create__plan_used_up__still_takes_over_and_keeps_history(inside) -> None:
    ann = person()
    remember(ann, "Plays chess", limit=2)
    lives(ann, "Oslo", JAN, limit=2)
    lives(ann, "Bergen", JUN, limit=2)
    lives(ann, "Lund", MAR, limit=2)
    assert SubjectState.objects.get(pk=ann.pk).count == 2


FORGOTTEN = "Is allergic to peanuts"


def refused(subject, text, **fields):
    result = write(subject, text, extracted=True, **fields)
    return result.error.code if result.error else None


def test_extracted__what_was_forgotten__never_comes_back(inside) -> None:
    ann, bob = person("ann"), person("bob")
    services.forget(remember(ann, FORGOTTEN, slot="allergy", value="peanuts").id, actor=ALICE)
    assert refused(ann, "She is allergic to peanuts!", source="gmail") == "forgotten_before"
    assert refused(ann, "Peanuts make her ill", slot="allergy", value="Peanuts") == "forgotten_before"
    assert services.refusal(ann.pk, new(FORGOTTEN, extracted=True)).code == "forgotten_before"
    assert MemoryRow.objects.count() == 1
    assert refused(ann, "Is allergic to gluten", slot="allergy", value="gluten") is None
    assert refused(bob, FORGOTTEN) is None
    assert write(ann, FORGOTTEN).id is not None  # somebody says it themselves
    assert refused(ann, "She is allergic to peanuts.", ref="9", scope="shared") is None


def test_extracted__what_was_recalled_in_the_turn__is_dropped(inside) -> None:
    ann, bob = person("ann"), person("bob")
    known = remember(ann, "Prefers green tea", source="gmail")
    theirs = remember(bob, "Plays the piano")
    for recalled in (known.public_id, "Prefers green tea"):
        assert refused(ann, "The user prefers green tea", recalled=(recalled,)) == "restates_memory"
    assert refused(ann, "Prefers green tea without milk", recalled=(known.public_id,)) is None
    assert refused(ann, "Plays the piano", recalled=(theirs.public_id, "mem_nonsense")) is None


@pytest.mark.parametrize("speaker", ["assistant", "Sage"])
def test_extracted__assistants_words__are_no_fact(inside, speaker) -> None:
    assert refused(person(), "You live in Oslo", speaker=speaker, persona_id="sage") == "assistant_text"
    assert MemoryRow.objects.count() == 0


def test_create__assertion_fields_too_long__name_their_limits(inside) -> None:
    result = write(person(), "x", about="a" * 513, where="b" * 513, pii_tags=("t",) * 21)
    assert [problem.pointer for problem in result.error.problems] == ["#/about", "#/where", "#/pii_tags"]
    assert ["512" in p.message or "20" in p.message for p in result.error.problems] == [True] * 3
