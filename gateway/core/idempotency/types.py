"""What a claim on an idempotency key is found to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

KEPT = timedelta(hours=24)
# A larger answer is not kept: whoever sends its key again is told so.
ANSWER_BYTES = 1024 * 1024


class Standing(StrEnum):
    """How a caller stands to the key: the work is theirs to do, another request does it or did it, or the key was used
    for something else."""

    MINE = "mine"
    RUNNING = "running"
    DONE = "done"
    TOO_LARGE = "too_large"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Answer:
    """A kept answer: HTTP status, headers in order, and the body's bytes."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Claimed:
    """The outcome of a claim; ``request_id`` is of the request that holds it, ``answer`` only there when DONE."""

    standing: Standing
    request_id: UUID
    answer: Answer | None = None
