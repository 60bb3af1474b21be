"""From candidates to an answer: how likely each one answers the question, what it keeps of that with its age and
confidence, and which are shown. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.knowledge.memory.decay import decay
from gateway.knowledge.memory.recall_search import Candidate
from gateway.knowledge.memory.types import RecalledMemory
from gateway.knowledge.memory.wording import same_words

# With ``only_relevant`` so many memories are shown at most, each at least this likely to be about what was asked.
MOST_RELEVANT, RELEVANT = 5, 0.42
# The best of them must be likelier than this, or nothing was found; without meanings the guess is worse.
ANSWERED, ANSWERED_BY_WORDS = 0.67, 0.75
PINNED = 0.5  # log-odds
# From this cosine on two texts are about similar things; much of any text is below it.
SIMILAR = 0.2
# Beyond the first five, one sitting may fill so many places.
FREE_PLACES, PER_SITTING = 5, 3


@dataclass(frozen=True, slots=True)
class Odds:
    """Log-odds that a memory is about what was asked, linear in its signals: the absolute ones (what of the question
    stands in it and in its sitting, how near they are in meaning) tell whether the answer is there at all, ``total``
    how it stands out; the more memories there are, the more the best stands out by chance. Fitted by logistic
    regression (ADR-0037)."""

    intercept: float
    total: float
    coverage: float
    place_coverage: float
    cosine: float
    place_cosine: float
    other_time: float
    by_other: float
    among: float  # times the natural logarithm of their number
    total_among: float  # times both


_WITH_MEANING = Odds(-1.45, 0.382, 1.02, 1.36, -2.11, 6.71, -3.22, -3.15, -1.178, 0.048)
_BY_WORDS = Odds(0.295, 0.401, -0.37, 3.43, 0.0, 0.0, -3.85, -2.74, -0.866, -0.004)
# Sizes beyond these were not looked at when fitting.
_SMALLEST, _LARGEST = 1, 3_000


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with its ``relevance`` (0 to 1), and ``score``: what it keeps of that with its confidence and age."""

    candidate: Candidate
    relevance: float
    score: float
    decay: float


def rank(candidates: Sequence[Candidate], now: datetime, *, time_named: bool = False) -> list[Ranked]:
    """Best first, each content once, whichever collection it comes from. ``time_named``: the question named a time."""
    ranked = [_ranked(one, now, time_named) for one in _pertinent(candidates)]
    ranked.sort(key=lambda one: (-one.score, one.candidate.id))
    kept: dict[tuple[str, ...], Ranked] = {}
    for one in ranked:
        kept.setdefault(same_words(one.candidate.text), one)
    return list(kept.values())


def shown(ranked: Sequence[Ranked], k: int, *, only_relevant: bool) -> list[Ranked]:
    """The ``k`` to show; with ``only_relevant`` at most five that are likely to answer, none when nothing was found."""
    if only_relevant:
        if nothing_found(ranked):
            return []
        likely = [one for one in ranked if one.relevance >= RELEVANT]
        return likely[: min(k, MOST_RELEVANT)]
    taken, left_out, seats = list(ranked[:FREE_PLACES]), [], Counter[object]()
    for one in ranked[FREE_PLACES:]:
        seat = (one.candidate.collection, one.candidate.place)
        if seats[seat] < PER_SITTING:
            seats[seat] += 1
            taken.append(one)
        else:
            left_out.append(one)
    return [*taken, *left_out][:k]


def nothing_found(ranked: Sequence[Ranked]) -> bool:
    """Whether none is likely to answer the question."""
    return not any(one.relevance >= (ANSWERED_BY_WORDS if one.candidate.cosine is None else ANSWERED) for one in ranked)


def recalled(one: Ranked, *, explain: bool) -> RecalledMemory:
    found = one.candidate
    return RecalledMemory(
        found.id, found.text, found.type, one.score, found.confidence, found.occurred_at, found.provenance,
        found.memory_scope, _signals(one) if explain else None, found.visible_until,
    )  # fmt: skip


def _ranked(one: Candidate, now: datetime, time_named: bool) -> Ranked:
    relevance = _relevance(one, time_named)
    faded = decay(one.type, now - one.occurred_at)
    return Ranked(one, relevance, relevance * math.sqrt(one.confidence) * faded, faded)


def _relevance(one: Candidate, time_named: bool) -> float:
    # Without its own embedding a memory is judged by words, even where its neighbours have one.
    odds = _BY_WORDS if one.cosine is None else _WITH_MEANING
    size = math.log(min(max(one.among, _SMALLEST), _LARGEST))
    log_odds = (
        odds.intercept
        + odds.total * one.total
        + odds.coverage * one.coverage
        + odds.place_coverage * one.place_coverage
        + odds.cosine * (one.cosine or 0.0)
        + odds.place_cosine * (one.place_cosine or 0.0)
        + odds.other_time * (time_named and not one.dated)
        + odds.by_other * one.by_other
        + odds.among * size
        + odds.total_among * one.total * size
        + PINNED * one.pinned
    )
    return 1 / (1 + math.exp(-max(-500.0, min(500.0, log_odds))))


def _pertinent(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that have something of the question in them, and what stands in one sitting with them."""
    hits = {one.id for one in candidates if one.lexical > 0 or one.asked_for or (one.cosine or 0) >= SIMILAR}
    seats = {(one.collection, one.place) for one in candidates if one.id in hits}
    return [one for one in candidates if one.dated or (one.collection, one.place) in seats]


def _signals(one: Ranked) -> dict[str, float]:
    found = one.candidate
    return {
        "lexical": found.lexical,
        "coverage": found.coverage,
        **({"dense": found.cosine} if found.cosine is not None else {}),
        "base": found.base,
        "neighbours": found.neighbours,
        "speaker": float(found.spoken),
        "dated": float(found.dated),
        "attribute": float(found.asked_for),
        "fact": float(found.fact),
        "question": float(found.question),
        "sitting": found.sitting,
        "pinned": float(found.pinned),
        "relevance": one.relevance,
        "confidence": math.sqrt(found.confidence),
        "decay": one.decay,
    }
