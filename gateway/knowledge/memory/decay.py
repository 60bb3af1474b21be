"""How much of its weight a memory keeps as it ages: a soft factor of the ranking, never a filter. Pure."""

from __future__ import annotations

from datetime import timedelta

from gateway.knowledge.memory.types import MemoryType

FLOOR = 0.5
# The age at which half of what can fade has faded. What is not listed never fades: what somebody is and likes, and a
# document, do not become less true by waiting.
HALF_LIVES: dict[str, timedelta] = {
    MemoryType.EMOTION: timedelta(days=14),
    MemoryType.FUTURE_EVENT: timedelta(days=90),
    MemoryType.EVENT: timedelta(days=180),
    MemoryType.TRAVEL: timedelta(days=365),
    MemoryType.RECEIPT: timedelta(days=365),
    MemoryType.RELATIONSHIP: timedelta(days=1_825),
}


def decay(type: str, age: timedelta) -> float:  # noqa: A002 - the field's name
    """The factor of a memory of this type and age, 0.5 to 1.0: 1.0 when new (or still to come), 0.75 after one
    half-life, never below 0.5; 1.0 at any age for a type that does not fade."""
    half_life = HALF_LIVES.get(type)
    if half_life is None or age <= timedelta(0):
        return 1.0
    faded: float = 0.5 ** min(age / half_life, 1_000.0)
    return FLOOR + (1.0 - FLOOR) * faded
