"""What moves a memory up besides its words: meaning, the turns around it, who said it, when, what it is a value of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gateway.knowledge.memory import recall as recall_module
from gateway.knowledge.memory import recall_statement, services
from gateway.knowledge.memory.models import SubjectState
from gateway.knowledge.memory.types import ORG_KNOWLEDGE, Memory
from gateway.knowledge.subjects.types import SubjectRef
from tenants.context import scope
from tests.knowledge.memory.support import ALICE, ask, person, remember, texts
from tests.knowledge.memory.vectors import embed, meaning

MINUTE = timedelta(minutes=1)
NOON = datetime(2025, 5, 3, 12, tzinfo=UTC)


@pytest.fixture
def inside(acme, globex):
    """In acme; afterwards nothing of it can be seen in globex."""
    asked: list[SubjectRef] = []
    with scope(acme):
        yield asked
    with scope(globex):
        for subject in asked:
            assert texts(ask(subject, "tea", meaning=meaning(1, 0, 0))) == []


@pytest.fixture
def ann(inside) -> SubjectRef:
    subject = person("ann")
    inside.append(subject)
    return subject


def _talk(subject: SubjectRef, *turns: str, begin: datetime = NOON, thread: str = "t") -> list[Memory]:
    return [
        remember(subject, text, speaker=who, thread_id=thread, occurred_at=begin + number * MINUTE, type="event")
        for number, (who, text) in enumerate(turn.split(": ", 1) for turn in turns)
    ]


def test_recall__no_word_in_common__is_found_by_meaning(ann) -> None:
    embed(ann, remember(ann, "Cannot stand peanuts").id, (1, 0, 0))
    embed(ann, remember(ann, "Plays chess").id, (0, 1, 0))
    found = ask(ann, "allergy", meaning=meaning(0.9, 0.1, 0), explain=True)
    assert texts(found) == ["Cannot stand peanuts"]  # the other one is nowhere near
    assert (found.memories[0].scores or {})["dense"] == pytest.approx(0.9939, abs=1e-4)
    assert texts(ask(ann, "allergy")) == []


def test_recall__embedding_missing_or_of_another_model_or_length__counts_as_missing(ann) -> None:
    embed(ann, remember(ann, "green tea").id, (1, 0, 0))
    remember(ann, "black tea")
    embed(ann, remember(ann, "white tea").id, (1, 0, 0), model="test/other")
    embed(ann, remember(ann, "cold tea").id, (1, 0))
    found = ask(ann, "tea", meaning=meaning(1, 0, 0), explain=True)
    assert texts(found)[0] == "green tea"
    assert sorted(texts(found)) == ["black tea", "cold tea", "green tea", "white tea"]
    assert [text for one, text in zip(found.memories, texts(found), strict=True) if "dense" in (one.scores or {})] == [
        "green tea"
    ]
    assert found.degraded is False


@pytest.mark.parametrize("numbers", [(0.0, 0.0, 0.0), (float("nan"), 1.0, 0.0), (float("inf"), 1.0, 0.0), ()])
def test_recall__meaning_that_has_no_direction__searches_by_words(ann, numbers: tuple[float, ...]) -> None:
    embed(ann, remember(ann, "green tea").id, (1, 0, 0))
    found = ask(ann, "tea", meaning=meaning(*numbers), meaning_expected=True)
    assert (texts(found), found.degraded) == (["green tea"], True)


def test_recall__meaning_expected_and_missing__is_degraded_and_still_finds(ann) -> None:
    remember(ann, "green tea")
    found = ask(ann, "tea", meaning_expected=True)
    assert (texts(found), found.degraded) == (["green tea"], True)
    assert ask(ann, "tea").degraded is False


def test_recall__turn_beside_the_matching_one__comes_right_after_it(ann) -> None:
    _talk(ann, "Bob: What did the kitchen cost?", "Ann: 2,950, the friendly price.", "Bob: See you on Friday.")
    _talk(ann, "Ann: The lift is out of order.", begin=NOON + timedelta(days=3))
    found = ask(ann, "What did the kitchen cost?", explain=True).memories
    assert {one.text: (one.scores or {})["neighbours"] > 0 for one in found} == {
        "What did the kitchen cost?": False,
        "2,950, the friendly price.": True,
        "See you on Friday.": False,
    }
    assert found[1].text == "2,950, the friendly price."


def test_recall__person_named__prefers_what_that_person_said(ann) -> None:
    _talk(ann, "Ann: I love the sea more than anything.")
    _talk(ann, "Bob: I love the sea more than anything else.", begin=NOON + timedelta(days=3))
    found = ask(ann, "Where does Bob love to be, the sea?", explain=True).memories
    assert found[0].text.endswith("else.")
    assert [(one.scores or {})["speaker"] for one in found] == [1.0, 0.0]
    both = ask(ann, "Do Ann and Bob love the sea?", explain=True).memories
    assert [(one.scores or {})["speaker"] for one in both] == [0.0, 0.0]


@pytest.mark.parametrize(
    "query", ["dentist in May 2025", "dentist in May", "dentist on 2025-05-03", "dentist, 3 May 2025"]
)
def test_recall__time_named__prefers_what_happened_then(ann, query: str) -> None:
    for month in (3, 5, 7):
        remember(ann, f"Went to the dentist, visit {month}", occurred_at=datetime(2025, month, 3, 12, tzinfo=UTC))
    assert texts(ask(ann, query))[0] == "Went to the dentist, visit 5"


@pytest.mark.parametrize("slot", ["drink.favourite", "favourite-drink", "drink_favourite", "drinks[]", "drink:tea"])
def test_recall__attribute_named__finds_its_value_without_a_word_in_common(ann, slot: str) -> None:
    remember(ann, "Completely converted to smoky black tea", slot=slot, value="tea")
    remember(ann, "Bob has a favourite chair", type="event")
    found = ask(ann, "What drink does she like best?", explain=True).memories
    assert [(one.text, (one.scores or {})["attribute"]) for one in found] == [
        ("Completely converted to smoky black tea", 1.0)
    ]


def test_recall__question_and_statement_alike__statement_comes_first(ann) -> None:
    remember(ann, "Is the piano in tune?")
    remember(ann, "The piano is in tune.")
    assert texts(ask(ann, "piano tune")) == ["The piano is in tune.", "Is the piano in tune?"]


def test_recall__subject_with_more_than_is_compared__compares_the_best_and_the_latest(ann, monkeypatch) -> None:
    for name, value in (("EXACT_UP_TO", 3), ("BEST_BY_WORDS", 1), ("LATEST", 1)):
        monkeypatch.setattr(recall_statement, name, value)
    for number, text in enumerate(("green tea", "some cake", "old chess", "new chess")):
        embed(ann, remember(ann, text, occurred_at=NOON + number * MINUTE).id, (1, 0, 0))
    found = ask(ann, "tea", meaning=meaning(1, 0, 0), explain=True)
    assert {one.text for one in found.memories if "dense" in (one.scores or {})} == {"green tea", "new chess"}


def test_recall__organization_knowledge__stands_beside_the_subjects_own(ann, acme, globex) -> None:
    remember(ann, "She drinks tea at four")
    remember(ORG_KNOWLEDGE, "Tea is served in the hall", source="org_kb", scope="org", type="doc")
    with CaptureQueriesContext(connection) as captured:
        found = ask(ann, "Where is tea served?")
    assert sorted(one.memory_scope for one in found.memories) == ["chat", "org_kb"]
    assert found.memories[0].memory_scope == "org_kb"
    assert len(captured) == 2
    assert texts(ask(ann, "tea", memory_scopes=("chat",))) == ["She drinks tea at four"]
    assert texts(ask(ann, "tea", memory_scopes=("org_kb",))) == ["Tea is served in the hall"]
    assert texts(ask(ann, "tea", types=("fact",))) == ["She drinks tea at four"]
    with scope(globex):
        assert texts(ask(ann, "Where is tea served?")) == []


def test_recall__organization_knowledge_that_the_subject_does_not_want__is_left_out(ann) -> None:
    bob = person("bob")
    for subject in (ann, bob):
        remember(subject, "She drinks tea at four")
    remember(ORG_KNOWLEDGE, "Tea is served in the hall", source="org_kb", scope="org", type="doc")
    SubjectState.objects.filter(pk=ann.pk).update(revoked=["org_kb"])
    assert texts(ask(ann, "tea")) == ["She drinks tea at four"]
    assert len(ask(bob, "tea").memories) == 2


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every memory is in the sample, and one is enough: what holds for thousands holds for two."""
    monkeypatch.setattr(recall_statement, "ONE_IN", 1)
    monkeypatch.setattr(recall_statement, "SAMPLE", 1)


def test_recall__word_that_stands_in_all_that_is_visible__tells_nothing(ann, sampled) -> None:
    remember(ann, "Ann likes green tea")
    remember(ann, "Ann plays chess")
    other = remember(ann, "Bob bakes")
    assert sorted(texts(ask(ann, "Ann, tea?"))) == ["Ann likes green tea", "Ann plays chess"]
    services.silence(other.id, actor=ALICE)
    assert texts(ask(ann, "Ann, tea?")) == ["Ann likes green tea"]


def test_recall__nothing_but_words_that_stand_in_all__looks_at_them_all_the_same(ann, sampled) -> None:
    remember(ann, "Ann likes green tea")
    remember(ann, "Ann plays chess")
    assert sorted(texts(ask(ann, "Ann?"))) == ["Ann likes green tea", "Ann plays chess"]
    assert sorted(texts(ask(ann, "Ann in 2024?"))) == ["Ann likes green tea", "Ann plays chess"]


def test_recall__word_that_stands_in_all__changes_no_order(ann, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        remember(ann, f"Ann said thing {number} of {number % 7} and {number % 3}")
    plain = texts(ask(ann, "What did Ann say of thing 5 and 2?"))
    monkeypatch.setattr(recall_statement, "ONE_IN", 1)
    recall_module._cache.clear()
    assert [one for one in texts(ask(ann, "What did Ann say of thing 5 and 2?")) if one in plain[:10]] == plain[:10]
