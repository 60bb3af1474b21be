"""Where a newcomer belongs among the facts of its slot: new, one more source, history, or a question for a person.
Pure.

Contradictions are found by slot and value alone. No similarity of texts is asked: two statements that contradict each
other are as alike as two that agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from gateway.governance.proposals.reach import within
from gateway.knowledge.memory import slots
from gateway.knowledge.memory.drafts import Draft
from gateway.knowledge.memory.types import Memory, Status
from gateway.knowledge.memory.wording import negated

# A newcomer this much less sure than what it contradicts is asked about, not believed.
CLEARLY_LESS = 0.25


@dataclass(slots=True)
class Fact:
    """A memory of a slot, stored or of this same write. ``changes`` are the columns to be written back."""

    id: UUID
    text: str
    value_key: bytes | None
    denies: bool
    occurred_at: datetime
    valid_from: datetime | None
    valid_to: datetime | None
    status: str
    confidence: float
    trust: int
    audience: str | None
    memory_scope: str
    superseded_by: UUID | None = None
    row: dict[str, Any] | None = None
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def begins(self) -> datetime:
        return self.valid_from or self.occurred_at

    @property
    def is_current(self) -> bool:
        return self.superseded_by is None and self.status in (Status.ACTIVE, Status.SILENCED)

    @property
    def is_lasting(self) -> bool:
        """Whether it ended, or will end, by nothing but a newer fact."""
        return self.superseded_by is not None or self.valid_to is None

    def change(self, **columns: Any) -> None:
        """Write these columns back, into the row that is still to be stored or over the stored one."""
        self.valid_to = columns.get("valid_to", self.valid_to)
        self.status = columns.get("status", self.status)
        self.superseded_by = columns.get("superseded_by", self.superseded_by)
        if self.row is not None:
            self.row.update(columns)
        else:
            self.changes.update(columns)

    def close(self, by: UUID, at: datetime, now: datetime) -> None:
        """A newer fact takes over from ``at`` on. One that begins in the future leaves this one believed until then; a
        silenced one stays silenced."""
        if at > now:
            self.change(valid_to=at)
            return
        status = Status.SILENCED if self.status == Status.SILENCED else Status.SUPERSEDED
        self.change(valid_to=max(at, self.begins), retired_at=now, superseded_by=by, status=status)


@dataclass(frozen=True, slots=True)
class Reach:
    """What a narrowed key may touch; None for no restriction."""

    memory_scopes: tuple[str, ...] | None = None
    personas: tuple[str, ...] | None = None

    def covers(self, known: Fact | Memory) -> bool:
        return within(self.memory_scopes, self.personas, known.memory_scope, known.audience)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a newcomer says of a slot. ``settled`` is one that a person decided already: it is not asked about again."""

    slot: str | None
    value_key: bytes | None
    denies: bool
    audience: str | None
    memory_scope: str
    occurred_at: datetime
    begins: datetime
    valid_to: datetime | None
    trust: int
    confidence: float
    settled: bool


def claim_of(draft: Draft) -> Claim:
    """A draft's claim; what an approved proposal states is settled."""
    return Claim(
        draft.slot, draft.value_key, negated(draft.text), draft.audience, draft.memory_scope, draft.occurred_at,
        draft.begins, draft.valid_to, draft.trust, draft.confidence, draft.proposal_id is not None,
    )  # fmt: skip


def claim_again(memory: Memory) -> Claim:
    """The claim of a memory that somebody corrects or brings back, which settles it."""
    return Claim(
        memory.slot, slots.value_key(memory.value), negated(memory.text), memory.audience,
        memory.memory_scope, memory.occurred_at, memory.valid_from or memory.occurred_at, memory.valid_to, memory.trust,
        memory.confidence, True,
    )  # fmt: skip


class Kind(Enum):
    NEW = "new"
    CORROBORATES = "corroborates"
    HISTORY = "history"
    PROPOSE = "propose"


@dataclass(frozen=True, slots=True)
class Placement:
    """``twin`` is the fact that a corroborating one joins, ``rivals`` what a new one takes over from or what a proposal
    would replace; ``until`` and ``successor`` are where history ends."""

    kind: Kind
    twin: Fact | None = None
    rivals: tuple[Fact, ...] = ()
    until: datetime | None = None
    successor: UUID | None = None


EVERYTHING = Reach()
_NEW = Placement(Kind.NEW)


def place(claim: Claim, facts: Iterable[Fact], *, reach: Reach = EVERYTHING) -> Placement:
    """Where a claim belongs among the facts of its slot, in any order.

    The same value in the same collection and audience is one more source. Another value of a single-valued slot is a
    contradiction when its audience is covered: the newer of the two (by ``occurred_at``) stays. What outranks the claim
    or lies beyond ``reach`` gives way to a proposal alone, whichever of the two is newer.
    """
    if claim.slot is None or claim.value_key is None:
        return _NEW
    said = claim.value_key, claim.denies
    known = [fact for fact in facts if fact.value_key is not None]
    for fact in known:
        together = (fact.audience, fact.memory_scope) == (claim.audience, claim.memory_scope)
        if together and (fact.value_key, fact.denies) == said and _meets(claim, fact):
            return Placement(Kind.CORROBORATES, twin=fact)
    if not slots.is_single(claim.slot) or claim.valid_to is not None:
        return _NEW  # what is true only for a while does not end what is true
    others = [
        fact for fact in known if (fact.value_key, fact.denies) != said and claim.audience in (None, fact.audience)
    ]
    if newer := [fact for fact in others if fact.occurred_at > claim.occurred_at and fact.is_lasting]:
        return _history(claim, others, newer, reach)
    rivals = [fact for fact in others if fact.is_current and fact.occurred_at <= claim.occurred_at]
    rivals = [fact for fact in rivals if fact.valid_to is None or fact.valid_to > claim.begins]
    if any(_withstands(fact, claim, reach) for fact in rivals):
        return Placement(Kind.PROPOSE, rivals=tuple(rivals))
    return Placement(Kind.NEW, rivals=tuple(rivals))


def _meets(claim: Claim, fact: Fact) -> bool:
    """Whether both are true at some same time."""
    if fact.is_current:
        return fact.valid_to is None or fact.valid_to > claim.begins
    return fact.begins <= claim.begins and (fact.valid_to is None or claim.begins < fact.valid_to)


def _withstands(fact: Fact, claim: Claim, reach: Reach) -> bool:
    """Whether a claim alone may not end this fact: it is beyond reach, or better known and nobody has decided."""
    return not reach.covers(fact) or (not claim.settled and _outranks(fact, claim))


def _outranks(fact: Fact, claim: Claim) -> bool:
    return claim.trust < fact.trust or fact.confidence - claim.confidence > CLEARLY_LESS


def _history(claim: Claim, others: list[Fact], newer: list[Fact], reach: Reach) -> Placement:
    """Old news: true from its own time until the next known fact begins; what was true then ends where it begins."""
    later = min(newer, key=lambda fact: fact.begins)
    before = [
        fact
        for fact in others
        if not fact.is_current
        and fact.begins < claim.begins
        and (fact.valid_to is None or fact.valid_to > claim.begins)
    ]
    if any(_withstands(fact, claim, reach) for fact in before):
        return Placement(Kind.PROPOSE, rivals=tuple(before))
    return Placement(Kind.HISTORY, rivals=tuple(before), until=max(later.begins, claim.begins), successor=later.id)
