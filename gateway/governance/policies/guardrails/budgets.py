"""CPU time for an organization's own patterns: one budget for all that look at a text, or are tried when they are
saved, so that many that are each in time do not come to more together."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
# Seconds for a text whatever its length, and for each character of it. One CPU reads a page of text in a fraction.
TEXT_S, CHARACTER_S = 0.1, 0.000_1


class Budget:
    """So many CPU seconds of the thread that spends them."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds

    @classmethod
    def of_text(cls, characters: int = 0) -> Budget:
        """For a text of this length; of one that is still coming, ``more`` says what came."""
        return cls(TEXT_S + characters * CHARACTER_S)

    def more(self, characters: int) -> None:
        """So much more of the text is there."""
        self.left += characters * CHARACTER_S

    def spend(self, look: Callable[[float], T], *, at_most: float) -> T:
        """What ``look`` returns, given its time limit. Raises TimeoutError when that, or the budget, is used up."""
        if self.left <= 0:
            raise TimeoutError
        began = time.thread_time()
        try:
            return look(min(at_most, self.left))
        finally:
            self.left -= time.thread_time() - began
