"""What the generator makes: memories with their fates, and questions with their evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

# The only seeds that ranking may be tuned on.
TUNING = (11, 23, 47)
# Only for the suite's check and the published figures. Whoever looks at single questions of these has used them up.
HELD_OUT = (7001, 7919, 8807)

FORGOTTEN, SILENCED, EXPIRED, SUPERSEDED, REVOKED = "forgotten", "silenced", "expired", "superseded", "revoked"
ANSWERABLE = ("direct", "paraphrase", "date", "multi_hop", "contradiction", "as_of", "known_at")
UNANSWERABLE = ("absent", "forgotten", "silenced", "expired", "consent", "wrong_person", "never_told")


@dataclass(slots=True)
class Turn:
    """One memory as it is to be stored. Times are aware; ``fate`` is what happens to it after it was stored, empty for
    one that stays. ``event`` names the event, fact or small talk that it belongs to."""

    key: str
    subject: str
    text: str
    occurred_at: datetime
    recorded_at: datetime
    event: str
    speaker: str | None = None
    thread_id: str | None = None
    source: str = "chat"
    ref: str | None = None
    type: str = "event"
    slot: str | None = None
    value: Any = None
    confidence: float = 1.0
    scope: str = "private"
    expires_at: datetime | None = None
    valid_to: datetime | None = None
    retired_at: datetime | None = None
    superseded_by: str | None = None
    fate: str = ""

    @property
    def words(self) -> str:
        """What is searched: the speaker belongs to it, as in the product."""
        return f"{self.speaker}: {self.text}" if self.speaker else self.text


@dataclass(frozen=True, slots=True)
class Question:
    """``evidence``: the memories that answer it, none for an unanswerable one. ``relevant``: these and whatever else is
    about the very event or fact asked for. ``never``: what must not come back, at any rank."""

    key: str
    subject: str
    text: str
    kind: str
    evidence: tuple[str, ...] = ()
    relevant: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()
    as_of: datetime | None = None
    known_at: datetime | None = None

    @property
    def answerable(self) -> bool:
        return bool(self.evidence)


@dataclass(slots=True)
class Person:
    """One subject's world: its memories in the order they were recorded, and the sources it does not allow."""

    subject: str
    name: str
    friends: tuple[str, ...]
    turns: list[Turn] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    revoked: tuple[str, ...] = ()

    def visible(self, question: Question) -> list[Turn]:
        """The memories that may answer this question: what both baselines search, and what the product should."""
        return [turn for turn in self.turns if _visible(turn, question, self.revoked)]


@dataclass(slots=True)
class Dataset:
    seed: int
    people: list[Person]

    @property
    def questions(self) -> list[Question]:
        return [question for person in self.people for question in person.questions]

    @property
    def turns(self) -> list[Turn]:
        return [turn for person in self.people for turn in person.turns]


def _visible(turn: Turn, question: Question, revoked: tuple[str, ...]) -> bool:
    if turn.fate in {FORGOTTEN, SILENCED, EXPIRED} or turn.source in revoked:
        return False
    as_of, known_at = question.as_of, question.known_at
    if as_of is None and known_at is None:
        return turn.fate != SUPERSEDED
    if known_at is not None:
        if turn.recorded_at > known_at or (turn.retired_at is not None and turn.retired_at <= known_at):
            return False
        if as_of is None:
            return True
    assert as_of is not None
    return turn.occurred_at <= as_of and (turn.valid_to is None or turn.valid_to > as_of)
