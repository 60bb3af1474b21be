"""Recall on data that no ranking was tuned on: the issue's thresholds, on three held-out seeds.

Through the product's services, not HTTP: what is measured is the ranking and the visibility of the store, which HTTP
adds nothing to, and a service in a transaction that is rolled back leaves nothing behind. ``make bench-memory`` asks
the same, on whole sets, through HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection

from gateway.core.embedder.frames import MODEL_ID
from gateway.knowledge.memory.recall import recall
from gateway.knowledge.memory.types import Meaning, RecallQuery
from tenants.context import scope
from tenants.types import OrgRef
from tests.bench.memory import baselines, metrics
from tests.bench.memory.ask import ask_all, embedded
from tests.bench.memory.dataset import HELD_OUT, TUNING, Dataset, Question
from tests.bench.memory.generate import generate
from tests.bench.memory.load import Loaded, load

SUBJECTS, MEMORIES = 4, 300


@dataclass
class Asked:
    """All sets asked, in the rankings that are compared."""

    data: Dataset
    ours: dict[str, list[str]]
    without_dense: dict[str, list[str]]
    cut: dict[str, list[str]]
    bm25: dict[str, list[str]]
    dense: dict[str, list[str]]


def _answering(loaded: Loaded, vectors: dict[str, Any], *, dense: bool = True) -> Callable[..., list[Any]]:
    def answer(question: Question, k: int, only_relevant: bool) -> list[Any]:
        meaning = Meaning(MODEL_ID, tuple(map(float, vectors[question.text]))) if dense else None
        query = RecallQuery(
            loaded.subjects[question.subject], question.text, k=k, as_of=question.as_of, known_at=question.known_at,
            only_relevant=only_relevant, meaning=meaning,
        )  # fmt: skip
        return [memory.id for memory in recall(query, ttl_s=0).memories]

    return answer


def _asked(seed: int, embed: Callable[..., Any]) -> Asked:
    data = generate(seed, subjects=SUBJECTS, memories=MEMORIES)
    vectors = embedded(data, embed)
    with connection.cursor() as wrapped:
        cursor = wrapped.cursor
        loaded = load(cursor, data.people, vectors=vectors, model_id=MODEL_ID)
        words = baselines.bm25(data, lambda texts: baselines.lexemes(cursor, texts))
    ours = _answering(loaded, vectors)
    return Asked(
        data,
        ask_all(data.questions, ours, loaded.keys),
        ask_all(data.questions, _answering(loaded, vectors, dense=False), loaded.keys),
        ask_all(data.questions, ours, loaded.keys, only_relevant=True),
        words,
        baselines.dense(data, lambda texts: [vectors[text] for text in texts]),
    )


@pytest.fixture(scope="module")
def asked(django_db_setup: None, django_db_blocker: Any, embed: Callable[..., Any]) -> Iterator[list[Asked]]:
    """The three held-out sets, loaded into two organizations; all of it is rolled back."""
    from django.db import transaction

    from tenants import selectors

    with django_db_blocker.unblock():
        organizations = [selectors.organization_by_slug(slug).ref for slug in ("unit-acme", "unit-globex")]
        runs = []
        for number, seed in enumerate(HELD_OUT):
            with scope(organizations[number % 2]), transaction.atomic():
                runs.append(_asked(seed, embed))
                transaction.set_rollback(True)
        yield runs


def _all(asked: list[Asked], name: str) -> tuple[list[Question], dict[str, list[str]]]:
    questions = [question for run in asked for question in run.data.questions]
    return questions, {key: keys for run in asked for key, keys in getattr(run, name).items()}


@pytest.mark.slow
def test_recall__held_out_sets__beats_bm25_by_ten_and_dense_by_twenty(asked) -> None:
    ours, bm25, dense = (metrics.recall(*_all(asked, name)) for name in ("ours", "bm25", "dense"))
    assert ours >= bm25 + 10, (ours, bm25, dense)
    assert ours >= dense + 20, (ours, bm25, dense)


@pytest.mark.slow
def test_recall__held_out_sets_without_dense__is_no_worse_than_bm25(asked) -> None:
    words, bm25 = metrics.recall(*_all(asked, "without_dense")), metrics.recall(*_all(asked, "bm25"))
    assert words >= bm25 + 5, (words, bm25)


@pytest.mark.slow
def test_recall__only_relevant__is_clean_and_silent_where_there_is_no_answer(asked) -> None:
    questions, found = _all(asked, "cut")
    assert max(len(keys) for keys in found.values()) <= 5
    cut = metrics.cut(questions, found)
    assert cut.precision >= 80, cut
    assert cut.silent >= 80, cut
    assert cut.answered >= 45, cut  # silence alone would be clean, too


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ours", "without_dense", "cut"])
def test_recall__forgotten_silenced_revoked_expired_superseded__never_come_back(asked, name) -> None:
    questions, found = _all(asked, name)
    assert sum(len(one.never) for one in questions) > 100
    assert metrics.leaks(questions, found) == []
    hidden = {turn.key for run in asked for person in run.data.people for turn in _hidden(person)}
    assert len(hidden) > 100
    assert not hidden & {key for keys in found.values() for key in keys}


def _hidden(person: Any) -> list[Any]:
    """What no question may see, whatever its times."""
    gone = {"forgotten", "silenced", "expired"}
    return [turn for turn in person.turns if turn.fate in gone or turn.source in person.revoked]


@pytest.mark.parametrize("seed", HELD_OUT)
def test_held_out_sets__their_make_up__is_what_the_issue_asks(seed) -> None:
    assert not set(HELD_OUT) & set(TUNING)
    data = generate(seed)
    assert len(data.people) >= 40
    assert min(len(person.turns) for person in data.people) >= 300
    assert len(data.questions) >= 1_500
    assert sum(not one.answerable for one in data.questions) / len(data.questions) >= 0.2
    kinds = {one.kind for one in data.questions}
    assert {"paraphrase", "multi_hop", "date", "contradiction", "forgotten", "consent", "as_of", "absent"} <= kinds
    again = generate(seed)
    assert [turn.words for turn in again.turns] == [turn.words for turn in data.turns]
    assert [one.text for one in again.questions] == [one.text for one in data.questions]


def test_recall__two_organizations_hold_alike_subjects__neither_sees_the_other(
    acme: OrgRef, globex: OrgRef, embed: Callable[..., Any]
) -> None:
    first, second = (generate(seed, subjects=1, memories=MEMORIES) for seed in TUNING[:2])
    second.people[0].subject = first.people[0].subject
    for turn in second.turns:
        turn.subject = first.people[0].subject
    loaded, vectors = [], [embedded(data, embed) for data in (first, second)]
    for ref, data, rows in ((acme, first, vectors[0]), (globex, second, vectors[1])):
        with scope(ref), connection.cursor() as cursor:
            loaded.append(load(cursor.cursor, data.people, vectors=rows, model_id=MODEL_ID))
    for ref, mine in ((acme, loaded[0]), (globex, loaded[1])):
        answer = _answering(mine, vectors[0])
        with scope(ref):
            for question in first.questions[:10]:
                assert set(answer(question, 20, False)) <= set(mine.keys)
                foreign = loaded[1] if mine is loaded[0] else loaded[0]
                assert _answering(foreign, vectors[0])(question, 20, False) == []
