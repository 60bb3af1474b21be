"""From candidates to an answer: likelihood, soft factors, duplicates, places of one sitting, and saying that there is
nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.core import ids
from gateway.knowledge.memory.recall_ranking import ANSWERED, Ranked, nothing_found, rank, recalled, shown
from gateway.knowledge.memory.recall_search import Candidate
from gateway.knowledge.memory.types import Provenance

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN, ORG = ids.uuid7(), ids.uuid7()
GOOD = Candidate(
    id=ids.uuid7(), text="Ann drinks tea", type="fact", confidence=1.0, occurred_at=NOW, memory_scope="chat",
    provenance=Provenance("chat"), visible_until=None, pinned=False, collection=ANN, place=1, lexical=4.0, coverage=0.8,
    cosine=0.7, base=4.0, neighbours=0.0, spoken=False, dated=False, asked_for=False, fact=False, question=False,
    sitting=1.0, total=8.0, place_coverage=0.8, place_cosine=0.7, by_other=False, among=300,
)  # fmt: skip


def _some(count: int, **changes: Any) -> list[Candidate]:
    return [
        replace(GOOD, **{"id": ids.uuid7(), "text": f"tea {n}", "place": n, "total": 8.0 - n / 10} | changes)
        for n in range(count)
    ]


def _one(**changes: Any) -> Ranked:
    (ranked,) = rank([replace(GOOD, **changes)], NOW, time_named=changes.pop("time_named", False))
    return ranked


def test_rank__score__keeps_what_confidence_and_age_leave_of_the_relevance() -> None:
    plain = _one()
    assert plain.score == pytest.approx(plain.relevance)
    assert _one(confidence=0.25).score == pytest.approx(plain.relevance / 2)
    aged = _one(type="event", occurred_at=NOW - timedelta(days=180))
    assert (aged.score, aged.decay) == (pytest.approx(0.75 * plain.relevance), 0.75)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"total": 8.0}, {"total": 4.0}),
        ({"place_cosine": 0.7}, {"place_cosine": 0.4}),
        ({"place_coverage": 0.8}, {"place_coverage": 0.2}),
        ({"pinned": True}, {"pinned": False}),
        ({"by_other": False}, {"by_other": True}),
        ({"among": 300}, {"among": 3_000}),
    ],
)
@pytest.mark.parametrize("cosine", [0.7, None])
def test_rank__signal__makes_it_likelier(better: dict[str, Any], worse: dict[str, Any], cosine: float | None) -> None:
    if cosine is None and "place_cosine" in better:
        better, worse = {"place_cosine": None}, {"place_cosine": None, "total": 7.0}
    assert _one(**(better | {"cosine": cosine})).relevance > _one(**(worse | {"cosine": cosine})).relevance


def test_rank__question_about_a_time__is_not_answered_by_another_time() -> None:
    dated, other = replace(GOOD, dated=True), replace(GOOD, id=ids.uuid7(), text="other")
    ranked = rank([other, dated], NOW, time_named=True)
    assert [one.candidate.dated for one in ranked] == [True, False]
    assert ranked[0].relevance > 2 * ranked[1].relevance


def test_rank__relevance__stays_between_0_and_1() -> None:
    for total in (-1e6, 0.0, 1e6):
        assert 0 <= _one(total=total).relevance <= 1
    assert 0 <= _one(among=0).relevance <= 1


def test_rank__same_words_twice__are_shown_once_with_the_better_score() -> None:
    twins = [GOOD, replace(GOOD, id=ids.uuid7(), text="ann DRINKS tea!", total=9.0, collection=ORG)]
    (kept,) = rank(twins, NOW)
    assert kept.candidate.collection == ORG
    assert len(rank([GOOD, replace(GOOD, id=ids.uuid7(), text="Ann drinks no tea")], NOW)) == 2
    assert len(rank([replace(GOOD, text="?"), replace(GOOD, id=ids.uuid7(), text="!")], NOW)) == 2


def test_rank__nothing_of_the_question_in_it_nor_near_it__is_left_out() -> None:
    silent = replace(GOOD, id=ids.uuid7(), text="chess", lexical=0.0, cosine=0.1, total=3.0, place=2)
    beside = replace(silent, id=ids.uuid7(), text="beside", place=1)
    assert [one.candidate.text for one in rank([GOOD, silent, beside], NOW)] == ["Ann drinks tea", "beside"]
    assert rank([silent], NOW) == []


def test_shown__one_sitting__fills_three_places_beyond_the_first_five() -> None:
    one_sitting = _some(10, place=7)
    others = [replace(one, text=f"cake {one.place}", total=4.0 - one.place) for one in _some(3)]
    found = shown(rank([*one_sitting, *others], NOW), 11, only_relevant=False)
    assert [one.candidate.place for one in found] == [7] * 8 + [0, 1, 2]
    longer = shown(rank([*one_sitting, *others], NOW), 20, only_relevant=False)
    assert [one.candidate.place for one in longer] == [7] * 8 + [0, 1, 2] + [7] * 2


def test_shown__other_collection__has_sittings_of_its_own() -> None:
    mixed = [*_some(8, place=7), *_some(8, place=7, collection=ORG)]
    texts = rank([replace(one, text=str(n)) for n, one in enumerate(mixed)], NOW)
    assert [one.candidate.collection for one in shown(texts, 11, only_relevant=False)[5:]].count(ANN) == 3


def test_shown__only_relevant__is_at_most_five_and_none_when_nothing_was_found() -> None:
    ranked = rank(_some(8), NOW)
    assert len(shown(ranked, 10, only_relevant=True)) == 5
    assert len(shown(ranked, 3, only_relevant=True)) == 3
    unlikely = rank(_some(8, total=-2.0, place_cosine=0.2, cosine=0.2), NOW)
    assert nothing_found(unlikely)
    assert shown(unlikely, 10, only_relevant=True) == []
    assert len(shown(unlikely, 8, only_relevant=False)) == 8
    assert nothing_found([])


def test_shown__only_relevant__leaves_out_what_is_unlikely_beside_what_is_not() -> None:
    unlikely = _some(3, total=-2.0, place_cosine=0.2, cosine=0.2)
    ranked = rank([GOOD, *unlikely], NOW)
    assert ranked[0].relevance > ANSWERED
    assert [one.candidate.id for one in shown(ranked, 10, only_relevant=True)] == [GOOD.id]


def test_recalled__explained__tells_every_signal() -> None:
    plain = recalled(_one(), explain=False)
    assert (plain.scores, plain.score) == (None, _one().score)
    told = recalled(_one(confidence=0.25), explain=True).scores
    assert told is not None
    assert (told["lexical"], told["dense"], told["confidence"], told["decay"]) == (4.0, 0.7, math.sqrt(0.25), 1.0)
    assert "dense" not in (recalled(_one(cosine=None), explain=True).scores or {})
