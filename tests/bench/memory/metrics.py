"""Figures of one run: how much of the evidence was found, how clean the answer is, and whether silence was right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.bench.memory.dataset import ANSWERABLE, UNANSWERABLE, Question


def recall_at(k: int, question: Question, found: Sequence[str]) -> float:
    """The share of a question's evidence among the first ``k``."""
    return len(set(question.evidence) & set(found[:k])) / len(question.evidence)


def mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else float("nan")


def recall(questions: Iterable[Question], found: Mapping[str, Sequence[str]], k: int = 10) -> float:
    """recall@k over the answerable questions, in percent."""
    return 100 * mean(recall_at(k, one, found[one.key]) for one in questions if one.answerable)


def by_kind(questions: Iterable[Question], found: Mapping[str, Sequence[str]], k: int = 10) -> dict[str, float]:
    kinds: dict[str, list[float]] = defaultdict(list)
    for one in questions:
        if one.answerable:
            kinds[one.kind].append(recall_at(k, one, found[one.key]))
    return {kind: 100 * mean(kinds[kind]) for kind in ANSWERABLE if kind in kinds}


@dataclass(frozen=True, slots=True)
class Cut:
    """What answers of at most five, cut by score, are worth. All in percent.

    ``precision``: of everything returned to all questions, unanswerable ones included, the share that is about the very
    event or fact asked for; ``strict`` counts only the evidence itself. ``silent``: unanswerable questions answered
    with nothing. ``answered``: answerable ones that got at least one memory of their evidence, without which silence
    were cheap.
    """

    precision: float
    strict: float
    silent: float
    answered: float
    returned: float
    silent_by_kind: dict[str, float]


def cut(questions: Sequence[Question], found: Mapping[str, Sequence[str]]) -> Cut:
    returned = [(one, key) for one in questions for key in found[one.key]]
    kinds: dict[str, list[float]] = defaultdict(list)
    for one in questions:
        if not one.answerable:
            kinds[one.kind].append(float(not found[one.key]))
    answered = [bool(set(one.evidence) & set(found[one.key])) for one in questions if one.answerable]
    return Cut(
        precision=100 * mean(key in one.relevant for one, key in returned),
        strict=100 * mean(key in one.evidence for one, key in returned),
        silent=100 * mean(value for values in kinds.values() for value in values),
        answered=100 * mean(answered),
        returned=len(returned) / max(1, len(questions)),
        silent_by_kind={kind: 100 * mean(kinds[kind]) for kind in UNANSWERABLE if kind in kinds},
    )


def leaks(questions: Iterable[Question], found: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """(question, memory) of what came back although it was forgotten, silenced, expired, revoked or out of date."""
    return [(one.key, key) for one in questions for key in found[one.key] if key in one.never]
