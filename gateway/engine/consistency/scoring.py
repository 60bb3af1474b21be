"""From what was found in an answer to one number, and from answers to a run's. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from gateway.engine.consistency.types import Check, Lack, Missing, Scores

# What each part counts, among those that are known (ADR 0046).
_WEIGHTS = {"similarity": 3.0, "rubric": 4.0, "judge": 4.0}
# Cosines: of an answer that has nothing to do with the reference, and of one that says it in other words (ADR 0046).
_UNRELATED, _SAME = 0.15, 0.65


def nearness(cosine: float) -> float:
    """A cosine as a score: 0 for texts that have nothing to do with each other, 1 for those that say the same."""
    return min(1.0, max(0.0, (cosine - _UNRELATED) / (_SAME - _UNRELATED)))


def passed(checks: Sequence[Check]) -> float | None:
    """The mean of the checks; None without any. An answer that says nothing, or what must not be said, passes none."""
    if not checks:
        return None
    if any(one.name in ("answer", "not_contains") and one.score == 0 for one in checks):
        return 0.0
    return sum(one.score for one in checks) / len(checks)


def scores(*, similarity: float | None, rubric: float | None, judge: float | None) -> Scores:
    """The parts and what they come to: their weighted mean, and 0 where the rubric says 0."""
    known = {
        name: value
        for name, value in (("similarity", similarity), ("rubric", rubric), ("judge", judge))
        if value is not None
    }
    if rubric == 0 or not known:
        return Scores(similarity, rubric, judge, 0.0 if known else None)
    whole = sum(_WEIGHTS[name] * value for name, value in known.items()) / sum(_WEIGHTS[name] for name in known)
    return Scores(similarity, rubric, judge, whole)


def together(found: Iterable[Scores]) -> Scores:
    """A run's scores: of each part the mean over the answers where it is known."""
    every = list(found)

    def mean(name: str) -> float | None:
        values = [value for one in every if (value := getattr(one, name)) is not None]
        return sum(values) / len(values) if values else None

    return Scores(mean("similarity"), mean("rubric"), mean("judge"), mean("consistency"))


def missing(replies: Sequence[dict[str, Any]]) -> tuple[Missing, ...]:
    """What a run's scores do not know of: prompts that nobody answered, answers that could not be compared with what
    they are held against, and those of which a judge that was asked gave no opinion."""
    codes = {
        Lack.ANSWER: [one["error"]["code"] for one in replies if one["error"]],
        Lack.SIMILARITY: [code for one in replies if (code := one.get("similarity_problem"))],
        Lack.JUDGE: [code for one in replies if (code := one.get("judge_problem"))],
    }
    return tuple(
        Missing(what, len(found), Counter(found).most_common(1)[0][0]) for what, found in codes.items() if found
    )
