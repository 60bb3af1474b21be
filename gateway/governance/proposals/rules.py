"""Rules that let a proposal go ahead without a person. Matching is pure; counting against the caps is ``auto``'s."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Protocol
from uuid import UUID

from gateway.core import ids


class Coverable(Protocol):
    """What a rule looks at."""

    @property
    def type(self) -> str: ...
    @property
    def subject_id(self) -> str | None: ...
    @property
    def persona_id(self) -> str | None: ...
    @property
    def confidence(self) -> float: ...
    @property
    def quorum(self) -> int: ...


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """What a rule says. ``types`` are globs (``memory.*``); ``personas`` None means any, else only those named.

    ``per_day`` caps the approvals of each type, ``per_subject_per_day`` those for each subject, per UTC day; None is no
    cap. A disabled rule decides nothing, and can still be simulated.
    """

    name: str
    types: tuple[str, ...]
    min_confidence: float
    personas: tuple[str, ...] | None = None
    per_day: int | None = None
    per_subject_per_day: int | None = None
    enabled: bool = True

    def covers(self, proposal: Coverable) -> bool:
        """Whether it is about this proposal at all: type, persona, confidence. One that needs several people is never
        a rule's to decide, and a cap per subject needs a subject to count."""
        named = self.personas is None or proposal.persona_id in self.personas
        countable = self.per_subject_per_day is None or proposal.subject_id is not None
        typed = any(fnmatchcase(proposal.type, glob) for glob in self.types)
        return typed and named and countable and proposal.quorum <= 1 and proposal.confidence >= self.min_confidence


@dataclass(frozen=True, slots=True)
class Rule:
    """A stored rule."""

    id: UUID
    spec: RuleSpec
    created_at: datetime
    updated_at: datetime
    updated_by: str

    @property
    def public_id(self) -> str:
        return ids.public("rul", self.id)
