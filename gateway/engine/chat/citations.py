"""Takes citation markers (``[m1]``, ``[m1, m3]``) out of an answer while it streams, and keeps which memories they
named.

A marker goes together with the blanks before it, so "in Berlin [m1]." reads "in Berlin."; at the start of a line it
takes the blanks after it. A Markdown link ``[m1](…)``, an escaped ``\\[m1]`` and every other bracket stay. However the
text is cut into pieces, the result is the same: only what could still become a marker is held back.
"""

from __future__ import annotations

import re

from gateway.engine.chat.types import Citation
from gateway.governance.policies import redaction
from gateway.governance.policies.types import RedactMode
from gateway.knowledge.memory.types import RecalledMemory

_SNIPPET = 240
_BLANKS = " \t"
_MARKER = re.compile(r"\[m\d{1,6}(?: ?[,;] ?m\d{1,6}){0,20}\]\Z")
_PREFIX = re.compile(r"\[(?:m(?:\d{1,6}(?: ?[,;] ?m\d{1,6}){0,20}(?: |(?: ?[,;] ?m?))?)?)?\Z")
_NUMBER = re.compile(r"\d+")


def uri_of(memory: RecalledMemory, mode: RedactMode) -> str:
    """What a memory is known by to the caller, masked as the policy asks."""
    return redaction.redact(memory.uri, mode)


def cite(memory: RecalledMemory, mode: RedactMode) -> Citation:
    """The citation of a memory, its words and where they come from masked as the policy asks: whole, and cut
    afterwards, because half an address is not recognized as one."""
    snippet = redaction.redact(memory.provenance.snippet or memory.text, mode)[:_SNIPPET]
    return Citation(memory.public_id, uri_of(memory, mode), memory.confidence, snippet, memory.provenance.span)


class CitationFilter:
    """The state of one answer. ``known`` is how many memories the prompt listed (m1 … m<known>).

    A marker that names another memory is removed all the same; it is counted in ``unknown`` and not cited.
    """

    def __init__(self, known: int) -> None:
        self.unknown = 0
        self._known = known
        self._cited: dict[int, None] = {}
        self._blanks = ""  # seen and not yet given out: a marker may follow and take them along
        self._candidate = ""  # "[…": may become a marker; ends with "]" when it is one unless "(" follows
        self._swallow = False
        self._before = "\n"  # the character before the one at hand, as the model wrote it
        self._given = "\n"  # the last character given out; an answer begins like a line

    @property
    def cited(self) -> tuple[int, ...]:
        """The indexes cited so far (from 1), in the order of their first citation."""
        return tuple(self._cited)

    def feed(self, text: str) -> str:
        """Take a piece in; what can be given out by now."""
        out: list[str] = []
        at = 0
        while at < len(text):
            if self._candidate:
                at += self._grow(text[at], out)
            else:
                at = self._plain(text, at, out)
        return "".join(out)

    def finish(self) -> str:
        """What was still held back."""
        out: list[str] = []
        if self._candidate.endswith("]"):
            self._accept()
        self._flush(out, "")
        return "".join(out)

    def _plain(self, text: str, at: int, out: list[str]) -> int:
        """Take text up to and with the next opening bracket; where to go on."""
        bracket = text.find("[", at)
        end = len(text) if bracket < 0 else bracket
        part = text[at:end]
        if self._swallow and part:
            part = part.lstrip(_BLANKS)
            self._swallow = not part
        body = part.rstrip(_BLANKS)
        if body:
            self._give(out, self._blanks + body)
            self._blanks = ""
        self._blanks += part[len(body) :]
        self._before = text[end - 1] if end > at else self._before
        if bracket < 0:
            return end
        if self._before in "\\[":
            self._flush(out, "[")
            self._before = "["
        else:
            self._candidate = "["
        return bracket + 1

    def _grow(self, char: str, out: list[str]) -> int:
        """Offer the candidate one more character; 1 when it took it, 0 when the character is yet to be looked at."""
        if self._candidate.endswith("]"):
            if char == "(":
                self._before = "]"
                self._flush(out, "")
            else:
                self._accept()
            return 0
        longer = self._candidate + char
        if _PREFIX.match(longer) or _MARKER.match(longer):
            self._candidate = longer
            return 1
        self._before = self._candidate[-1]
        self._flush(out, "")
        return 0

    def _accept(self) -> None:
        for number in _NUMBER.findall(self._candidate):
            index = int(number)
            if 1 <= index <= self._known:
                self._cited[index] = None
            else:
                self.unknown += 1
        self._candidate, self._blanks, self._before = "", "", "]"
        self._swallow = self._given == "\n"

    def _flush(self, out: list[str], more: str) -> None:
        self._give(out, self._blanks + self._candidate + more)
        self._blanks = self._candidate = ""

    def _give(self, out: list[str], text: str) -> None:
        if text:
            out.append(text)
            self._given = text[-1]
            self._swallow = False
