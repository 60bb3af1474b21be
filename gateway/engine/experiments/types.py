"""Experiments as the rest of the code sees them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from gateway.core import ids

MAX_NAME = 200


class Arm(StrEnum):
    A = "a"
    B = "b"


@dataclass(frozen=True, slots=True)
class Experiment:
    """``version_a`` is what subjects had before, ``version_b`` what ``share_percent`` of them get (1 to 99). It runs
    until ``stopped_at``; ``kept`` is the arm that went on."""

    id: UUID
    persona_id: str
    name: str
    version_a: int
    version_b: int
    share_percent: int
    started_at: datetime
    started_by: str
    stopped_at: datetime | None
    stopped_by: str | None
    kept: Arm | None

    @property
    def public_id(self) -> str:
        return ids.public("exp", self.id)

    def version(self, arm: Arm) -> int:
        """The persona version of an arm."""
        return self.version_b if arm is Arm.B else self.version_a


@dataclass(frozen=True, slots=True)
class ArmResult:
    """What one arm did. Rates are 0 to 1 of its answered calls, times milliseconds, money micro-dollars; None where
    there was no call to tell from."""

    arm: Arm
    version: int
    calls: int
    subjects: int
    errors: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    charged_micros: int
    per_subject: float | None
    redirect_rate: float | None
    proposal_rate: float | None
