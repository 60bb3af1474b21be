"""What kinds of left-overs an organization may have."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """``event`` awaits delivery, ``audit`` sealing, ``proposal`` execution, ``operation`` its end, ``embedding`` (a
    subject) vectors for what is new."""

    EVENT = "event"
    AUDIT = "audit"
    PROPOSAL = "proposal"
    OPERATION = "operation"
    EMBEDDING = "embedding"
