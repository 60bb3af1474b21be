"""Masking a text that arrives in pieces.

Whatever the pieces, the result is the same as for the whole text: a place is decided only once no further character
can change what is found there. So the last word is held back, with the words before it that a number may span, and
never more than ``MAX_MATCH`` characters.
"""

from __future__ import annotations

import re
from collections import Counter

from gateway.governance.policies.redaction.detectors import (
    CONTEXT,
    DETECTORS,
    HOLD,
    MAX_MATCH,
    SPACES,
    Detector,
    Span,
)
from gateway.governance.policies.terms import RedactMode

_SLICE = 4_096  # long pieces are taken in slices, so that the work at any place is bounded
_MARKER = 64  # longer than any end marker: as much is kept while looking for one


def redact(text: str, mode: RedactMode | str) -> str:
    """The text with everything masked that ``mode`` masks."""
    redactor = StreamRedactor(mode)
    return redactor.feed(text) + redactor.finish()


class StreamRedactor:
    """``feed`` each piece and send on what it returns; then ``finish`` once for what was held back. ``counts`` are
    finds by label.

    With ``detectors``, it looks for these instead of the mode's. Where they do not keep to what ``HOLD`` promises,
    ``hold`` is how many characters a find of theirs may look at from its first one."""

    def __init__(
        self, mode: RedactMode | str = RedactMode.OFF, *, detectors: tuple[Detector, ...] | None = None, hold: int = 0
    ) -> None:
        self._detectors = DETECTORS[RedactMode(mode)] if detectors is None else detectors
        self._hold = hold
        self._text = ""  # what is not decided, after the few decided characters that look-behinds may see
        self._start = 0
        self._rest: re.Pattern[str] | None = None
        self._until: re.Pattern[str] | None = None
        self.counts: Counter[str] = Counter()

    @property
    def pending(self) -> int:
        """How many characters of what was fed are not decided yet."""
        return len(self._text) - self._start

    def feed(self, piece: str) -> str:
        """The part of the text that is decided now, masked."""
        if not self._detectors:
            return piece
        done = []
        for begin in range(0, len(piece), _SLICE):
            self._text += piece[begin : begin + _SLICE]
            done.append(self._drain(final=False))
        return "".join(done)

    def finish(self) -> str:
        """What was held back, masked. The redactor is empty afterwards."""
        done = self._drain(final=True)
        self._text, self._start, self._rest, self._until = "", 0, None, None
        return done

    def _drain(self, *, final: bool) -> str:
        done: list[str] = []
        found: dict[Detector, Span | None] = {}
        decided = -1
        while self._swallow(final=final):
            if decided < self._start:
                decided = len(self._text) if final else self._decided()
            first = self._first(found, decided)
            if first is None:
                done.append(self._text[self._start : decided])
                self._start = decided
                break
            detector, (begin, end) = first
            self.counts[detector.label] += 1
            done += (self._text[self._start : begin], self._shown(detector, begin, end))
            self._start, self._rest, self._until = end, detector.rest, detector.until
        seen = max(0, self._start - CONTEXT)
        self._text, self._start = self._text[seen:], self._start - seen
        return "".join(done)

    def _shown(self, detector: Detector, begin: int, end: int) -> str:
        """What stands in the place of a find."""
        return f"[{detector.label}]"

    def _first(self, found: dict[Detector, Span | None], decided: int) -> tuple[Detector, Span] | None:
        """The leftmost find that begins before ``decided``; of several at one place, the first kind's. ``found``
        remembers the rest."""
        best: tuple[Detector, Span] | None = None
        for detector in self._detectors:
            if detector not in found or ((span := found[detector]) is not None and span[0] < self._start):
                found[detector] = detector.find(self._text, self._start)
            span = found[detector]
            if span is not None and span[0] < decided and (best is None or span[0] < best[1][0]):
                best = detector, span
        return best

    def _swallow(self, *, final: bool) -> bool:
        """Drop what belongs to the last mask; False when that may go on beyond the text seen so far."""
        if self._rest is not None:
            match = self._rest.match(self._text, self._start)
            self._start = match.end() if match else self._start
            if self._start >= len(self._text) - 1 and not final:
                return False
            self._rest = None
        if self._until is not None:
            end = self._until.search(self._text, self._start)
            if end is None:
                self._start = len(self._text) if final else max(self._start, len(self._text) - _MARKER)
                return False
            self._start, self._until = end.end(), None
        return True

    def _decided(self) -> int:
        """Where the held part begins: nothing that begins before it can depend on what comes next."""
        if self._hold:
            return max(self._start, len(self._text) - self._hold)
        text, floor = self._text, max(self._start, len(self._text) - MAX_MATCH)
        place = len(text)
        while place > floor and not text[place - 1].isspace():
            place -= 1
        while place - 1 > floor and text[place - 1] in SPACES and text[place - 2] in HOLD:
            place -= 1
            while place > floor and text[place - 1] in HOLD:
                place -= 1
        return place
