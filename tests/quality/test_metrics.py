"""The bench's own arithmetic, on answers small enough to count by hand."""

from __future__ import annotations

import pytest

from tests.bench.memory import metrics
from tests.bench.memory.dataset import TUNING, Question
from tests.bench.memory.generate import generate

_TWO = Question("q1", "s", "?", "multi_hop", ("a", "b"), frozenset({"a", "b", "c"}))
_ONE = Question("q2", "s", "?", "contradiction", ("d",), frozenset({"d"}), frozenset({"old"}))
_NONE = Question("q3", "s", "?", "absent")
_GONE = Question("q4", "s", "?", "forgotten", never=frozenset({"x"}))


def test_recall__two_of_three_pieces_of_evidence__averages_over_answerable_questions() -> None:
    found = {"q1": ["z", "a", "b"], "q2": ["y"], "q3": ["a"], "q4": []}
    questions = [_TWO, _ONE, _NONE, _GONE]
    assert metrics.recall(questions, found, 1) == 0
    assert metrics.recall(questions, found, 2) == 25
    assert metrics.recall(questions, found, 10) == 50
    assert metrics.by_kind(questions, found) == {"multi_hop": 100, "contradiction": 0}


def test_cut__what_unanswerable_questions_return__counts_against_precision() -> None:
    found = {"q1": ["a", "c"], "q2": ["y"], "q3": ["a"], "q4": []}
    cut = metrics.cut([_TWO, _ONE, _NONE, _GONE], found)
    assert (cut.precision, cut.strict, cut.silent, cut.answered, cut.returned) == (50, 25, 50, 50, 1)
    assert cut.silent_by_kind == {"absent": 0, "forgotten": 100}


def test_leaks__superseded_and_forgotten__are_named() -> None:
    found = {"q2": ["d", "old"], "q4": ["x", "y"]}
    assert metrics.leaks([_ONE, _GONE], found) == [("q2", "old"), ("q4", "x")]


@pytest.mark.parametrize("seed", TUNING)
def test_generate__every_subject__has_evidence_that_may_be_seen_and_nothing_hidden_that_may(seed) -> None:
    for person in generate(seed, subjects=6).people:
        turns = {turn.key: turn for turn in person.turns}
        assert len(turns) == len(person.turns) >= 300
        assert len({(turn.speaker, turn.text.casefold(), turn.source) for turn in turns.values()}) == len(turns)
        for question in person.questions:
            seen = {turn.key for turn in person.visible(question)}
            assert set(question.evidence) <= seen & question.relevant
            assert not question.never & seen
            assert "{" not in question.text
        assert not any("{" in turn.text for turn in turns.values())
