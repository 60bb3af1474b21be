"""UTC calendar months as the store names them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=16)
def month_end(month: str) -> datetime:
    """When the month ``YYYYMM`` is over and the next one's quota begins."""
    year, number = int(month[:4]), int(month[4:])
    return datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
