"""The process's one clock, so that tests can stand it still."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The current time, timezone-aware, in UTC."""
    return datetime.now(UTC)


def micros() -> int:
    """The current time in microseconds since the Unix epoch."""
    return int(now().timestamp() * 1_000_000)
