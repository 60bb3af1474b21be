"""An organization's own words and patterns, as detectors of bounded width."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache

from gateway.governance.policies.guardrails import patterns
from gateway.governance.policies.guardrails.budgets import Budget
from gateway.governance.policies.guards import Guard
from gateway.governance.policies.redaction.detectors import Detector, Span, whole

LABEL = "blocked"
# Characters that nobody sees, by which a word would pass otherwise; at most two at one place.
_UNSEEN = "[\u00ad\u200b-\u200f\u2060\ufeff]{0,2}"
_UNSEEN_WIDTH, _SPACES_WIDTH = 2, 4


class Overdue(Exception):
    """A pattern did not come to an end in its time."""


@dataclass(frozen=True, slots=True)
class OwnPattern(Detector):
    """A pattern of the organization's, run within what is left for the text that it looks at."""

    budget: Budget = field(default_factory=lambda: Budget(0), compare=False)

    def find(self, text: str, start: int) -> Span | None:
        def look(timeout: float) -> re.Match[str] | None:
            return self.pattern.search(text, start, timeout=timeout)  # type: ignore[call-overload,no-any-return]

        try:
            match = self.budget.spend(look, at_most=patterns.RUN_S)
        except TimeoutError:
            raise Overdue from None
        return match.span() if match else None


def detectors(guard: Guard, budget: Budget) -> tuple[tuple[Detector, ...], int]:
    """A blocklist's detectors, and how many characters any of them may look at from its first one. ``budget`` is that
    of the text which they are for."""
    made, widest = _made(guard)
    return tuple(replace(one, budget=budget) if isinstance(one, OwnPattern) else one for one in made), widest


@lru_cache(maxsize=512)
def _made(guard: Guard) -> tuple[tuple[Detector, ...], int]:
    found: list[Detector] = []
    widest = 0
    if guard.phrases:
        listed = sorted(guard.phrases, key=len, reverse=True)  # at one place the longest is the one that is meant
        found.append(Detector(LABEL, re.compile("|".join(map(_phrase, listed)), re.IGNORECASE), whole))
        widest = max(map(_phrase_width, listed))
    for pattern in guard.patterns:
        found.append(OwnPattern(LABEL, patterns.compiled(pattern), whole))  # type: ignore[arg-type]  # alike enough
        widest = max(widest, patterns.width(pattern))
    return tuple(found), widest + 2  # what stands behind a match: the other side of a border, and the end of a line


def _phrase(phrase: str) -> str:
    """The words of a phrase, whole, in any case and spacing."""
    words = [_UNSEEN.join(map(re.escape, word)) for word in phrase.split()]
    text = rf"[\s\u00a0_-]{{1,{_SPACES_WIDTH}}}".join(words)
    before = r"(?<!\w)" if phrase.strip()[0].isalnum() else ""
    after = r"(?!\w)" if phrase.strip()[-1].isalnum() else ""
    return f"{before}{text}{after}"


def _phrase_width(phrase: str) -> int:
    words = phrase.split()
    return sum(len(word) * (1 + _UNSEEN_WIDTH) for word in words) + _SPACES_WIDTH * len(words)
