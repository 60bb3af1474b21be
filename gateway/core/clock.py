"""The process's one clock, so that tests can stand it still."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The current time, timezone-aware, in UTC."""
    return datetime.now(UTC)


def micros() -> int:
    """The current time in microseconds since the Unix epoch."""
    return int(now().timestamp() * 1_000_000)


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC; one without a zone is meant in UTC. Raises ValueError beyond the calendar's ends."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the calendar") from None
