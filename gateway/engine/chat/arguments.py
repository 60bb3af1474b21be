"""The arguments of a tool call as the caller may see them: every text in the JSON guarded and masked while it streams,
and what is masked is JSON still.

Keys and values are texts of their own, and so is whatever stands without quotes: a card's number is one as a number
too, and is a string once it is masked. However the JSON is cut into pieces, the outcome is the same, because a string
is read as the characters it means and only an escape that is not complete is held back.
"""

from __future__ import annotations

import json
import re

from gateway.governance.policies.guardrails import Finding, OutputGuard
from gateway.governance.policies.guards import Direction
from gateway.governance.policies.types import EffectivePolicy, RedactMode

_BARE = re.compile(r'[^"{}\[\],:]*')
_PLAIN = re.compile(r'[^"\\]*')
_SURROGATE = re.compile("[\ud800-\udfff]")
_MEANT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", '"': '"', "/": "/", "\\": "\\"}


class ArgumentGuard:
    """``feed`` each piece and send on what it returns; then ``finish`` once. Raises GuardrailBlocked as an OutputGuard
    does. ``text`` is all that was given out, ``findings`` what was found so far."""

    def __init__(self, policy: EffectivePolicy) -> None:
        self.text = ""
        self._guard = OutputGuard(policy)
        self._idle = policy.redact_mode is RedactMode.OFF and not policy.guards(Direction.OUTPUT)
        self._inside = False  # of a string
        self._escape = ""  # begun and not complete
        self._bare = ""  # what stands without quotes, up to here

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self._guard.findings

    def feed(self, piece: str) -> str:
        """What may be given out now."""
        if self._idle:
            return self._given(piece)
        out: list[str] = []
        at = 0
        while at < len(piece):
            at = self._string(piece, at, out) if self._inside else self._outside(piece, at, out)
        return self._given("".join(out))

    def finish(self) -> str:
        """What was held back; blanks at the end are not, since they mean nothing and would come late."""
        if not self._inside:
            self._bare = self._bare.rstrip()
            return self._given(self._shown_bare())
        return self._given(_quoted(self._guard.feed(self._escape) + self._guard.finish()))

    def _given(self, text: str) -> str:
        self.text += text
        return text

    def _outside(self, piece: str, at: int, out: list[str]) -> int:
        """Take all up to and with the next sign of JSON; where to go on."""
        found = _BARE.match(piece, at)
        end = found.end() if found else at
        self._bare += piece[at:end]
        if end == len(piece):
            return end
        out += (self._shown_bare(), piece[end])
        self._inside = piece[end] == '"'
        return end + 1

    def _shown_bare(self) -> str:
        bare, self._bare = self._bare, ""
        word = bare.strip()
        shown = self._guard.feed(word) + self._guard.finish() if word else ""
        return bare if shown == word else bare.replace(word, json.dumps(shown, ensure_ascii=False))

    def _string(self, piece: str, at: int, out: list[str]) -> int:
        """Take some of a string: an escape's next character, or all up to one or to the string's end."""
        if self._escape:
            self._escape += piece[at]
            if len(self._escape) == (6 if self._escape[1] == "u" else 2):
                out.append(_quoted(self._guard.feed(_meant(self._escape))))
                self._escape = ""
            return at + 1
        found = _PLAIN.match(piece, at)
        end = found.end() if found else at
        out.append(_quoted(self._guard.feed(piece[at:end])))
        if end < len(piece) and piece[end] == "\\":
            self._escape = "\\"
        elif end < len(piece):
            out.append(_quoted(self._guard.finish()) + '"')
            self._inside = False
        return end + 1


def _meant(escape: str) -> str:
    """The character that an escape stands for; what is none stands for itself."""
    if escape[1] == "u":
        try:
            return chr(int(escape[2:], 16))
        except ValueError:
            return escape
    return _MEANT.get(escape[1], escape)


def _quoted(text: str) -> str:
    """The text as it stands inside a JSON string."""
    shown = json.dumps(text, ensure_ascii=False)[1:-1] if text else ""
    return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", shown)
