"""How many requests would have been decided otherwise, and which: counted alike whether they were decided again or
watched live."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Changed:
    """One request that would have been decided otherwise."""

    request_id: str
    occurred_at: datetime
    persona_id: str | None
    subject_id: str | None
    refused_before: bool
    refused_after: bool
    changes: dict[str, dict[str, Any]]


@dataclass(slots=True)
class Report:
    """``requests`` is the denominator: every call of the window that the caller may see; ``evaluated`` of them could be
    compared, ``unreadable`` counts the others by reason. ``truncated`` says that there were more than are looked at in
    one go. At most ``show`` of the changed ones are kept."""

    since: datetime
    show: int
    requests: int = 0
    evaluated: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)
    newly_refused: int = 0
    newly_allowed: int = 0
    by_decision: Counter[str] = field(default_factory=Counter)
    changed: list[Changed] = field(default_factory=list)
    changed_count: int = 0
    truncated: bool = False

    @property
    def coverage(self) -> float | None:
        """The share of the window's requests that could be compared; None where there were none."""
        return round(self.evaluated / self.requests, 4) if self.requests else None

    def add(self, one: Changed) -> None:
        """Count a request that was compared, the newest first; without changes it is only evaluated."""
        self.evaluated += 1
        if not one.changes:
            return
        self.changed_count += 1
        self.by_decision.update(one.changes.keys())
        self.newly_refused += one.refused_after and not one.refused_before
        self.newly_allowed += one.refused_before and not one.refused_after
        if len(self.changed) < self.show:
            self.changed.append(one)
