"""Which sitting a memory belongs to: a stretch of one thread without a gap of an hour. Pure."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from datetime import datetime, timedelta

GAP = timedelta(hours=1)
Mark = tuple[datetime, int]


def assign(times: Sequence[datetime], known: Sequence[Mark], next_sitting: int) -> tuple[list[int], int]:
    """Sittings for ``times`` of one thread, in the order given, and the next free number.

    ``known`` are the thread's stored memories around them. A memory within an hour of another joins its sitting; one
    that closes the gap between two sittings joins the earlier.
    """
    marks = sorted(known)
    sittings = [0] * len(times)
    for index in sorted(range(len(times)), key=times.__getitem__):
        moment = times[index]
        nearest = bisect_left(marks, (moment - GAP, 0))
        if nearest < len(marks) and marks[nearest][0] <= moment + GAP:
            sittings[index] = marks[nearest][1]
        else:
            sittings[index], next_sitting = next_sitting, next_sitting + 1
        insort(marks, (moment, sittings[index]))
    return sittings, next_sitting
