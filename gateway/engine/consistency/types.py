"""Golden prompts, runs and scores as the rest of the code sees them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from gateway.core import ids
from gateway.knowledge.personas.formats import digest

MAX_PROMPTS, MAX_NAME, MAX_TEXT = 50, 100, 4_000
MAX_PHRASES, MAX_PHRASE, MAX_CHARS = 20, 200, 20_000
DEFAULT_MODEL, DEFAULT_TOLERANCE = "auto", 10
# Whom the persona is asked by: nobody is remembered under it, and nothing is.
SUBJECT = "golden-prompts"


@dataclass(frozen=True, slots=True)
class GoldenPrompt:
    """One question and what its answer is held against. ``reference`` is how the persona would say it; without one the
    answer is compared with what the version before said. ``max_chars`` is how long an answer may be."""

    name: str
    prompt: str
    reference: str | None = None
    contains: tuple[str, ...] = ()
    not_contains: tuple[str, ...] = ()
    max_chars: int | None = None

    @classmethod
    def of(cls, raw: dict[str, Any]) -> GoldenPrompt:
        return cls(
            raw["name"], raw["prompt"], raw.get("reference"), tuple(raw.get("contains", ())),
            tuple(raw.get("not_contains", ())), raw.get("max_chars"),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """A persona's golden prompts. ``revision`` counts its saves; 0 is a persona for which none were saved: its
    cartridge's own examples stand in. ``model`` answers, ``judge_model`` judges (None: nobody does);
    ``tolerance_percent`` is how far off the persona's voice an answer may be; ``nightly`` asks them each night;
    ``required`` keeps what was not asked, or was off, from being published."""

    persona_id: str
    prompts: tuple[GoldenPrompt, ...]
    model: str = DEFAULT_MODEL
    judge_model: str | None = None
    tolerance_percent: int = DEFAULT_TOLERANCE
    nightly: bool = False
    required: bool = False
    revision: int = 0
    updated_at: datetime | None = None
    updated_by: str | None = None


def asked_digest(prompts: Iterable[GoldenPrompt], model: str, judge_model: str | None) -> str:
    """Of all that decides how an answer scores: what is asked and held against it, who answers, who judges. Names and
    order decide nothing."""
    asked = sorted(json.dumps({**asdict(one), "name": None}, sort_keys=True) for one in prompts)
    return digest({"prompts": asked, "model": model, "judge_model": judge_model})


class Lack(StrEnum):
    """What a run's scores can lack: an answer, its comparison with its reference, the judge's opinion of it."""

    ANSWER = "answer"
    SIMILARITY = "similarity"
    JUDGE = "judge"


@dataclass(frozen=True, slots=True)
class Missing:
    """``count`` of a run's answers lack this; ``code`` is the error that was met most often."""

    what: Lack
    count: int
    code: str


class Reason(StrEnum):
    MANUAL = "manual"
    NIGHTLY = "nightly"


class State(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked for in an answer: ``score`` 0 to 1, ``told`` says what was found."""

    name: str
    score: float
    told: str


@dataclass(frozen=True, slots=True)
class Scores:
    """0 to 1 each, None where it could not be told: how near the answer is to its reference, how many checks it passes,
    how many rules a model says it keeps, and all of them together."""

    similarity: float | None
    rubric: float | None
    judge: float | None
    consistency: float | None

    def rounded(self) -> dict[str, float | None]:
        return {name: None if value is None else round(value, 4) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Run:
    """One time that golden prompts were asked. ``version`` is None for a draft, which ``digest`` tells from others;
    ``asked_digest`` says what was asked, and of whom (``asked_digest``); ``done`` of ``total`` prompts were asked;
    ``missing`` is what the scores do not know of; ``replies`` hold what was said and how it scored."""

    id: UUID
    persona_id: str
    version: int | None
    digest: str
    asked_digest: str
    reason: Reason
    state: State
    model: str
    judge_model: str | None
    tolerance_percent: int
    total: int
    done: int
    scores: Scores
    missing: tuple[Missing, ...]
    error: dict[str, Any] | None
    replies: tuple[dict[str, Any], ...]
    operation_id: UUID | None
    started_at: datetime
    started_by: str
    finished_at: datetime | None

    @property
    def public_id(self) -> str:
        return ids.public("crun", self.id)

    @property
    def drift_percent(self) -> float | None:
        """How far off the persona's voice, in percent."""
        found = self.scores.consistency
        return None if found is None else round(100 * (1 - found), 2)

    @property
    def within(self) -> bool | None:
        """Whether that is within what was tolerated; None while it is not known, or the best that is known lacks
        something."""
        drift = self.drift_percent
        if drift is None or (self.missing and drift <= self.tolerance_percent):
            return None
        return drift <= self.tolerance_percent


@dataclass(frozen=True, slots=True)
class VersionStanding:
    """The last run of a version, or of the draft that it was published from, and how much further off it is than the
    version before (percentage points)."""

    version: int
    run: Run
    change_points: float | None
