"""Safety redirects: before the model, whether a message is about something the persona hands over; after it, whether
the answer went there all the same. Pure.

A pattern is words in alternation (``medical|legal|tax advice``), compared as whole words without case and accents. It
is never run as a regular expression: somebody else wrote it, and it meets text of anybody's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from gateway.knowledge.personas.types import Cartridge, SafetyRedirect
from gateway.knowledge.personas.words import goes_on, open_ended, placed, words

_Words = tuple[str, ...]
# In place of the rest of a word whose beginning was released: no word is this.
_REST = " "


@dataclass(frozen=True, slots=True)
class Redirect:
    """One redirect that applies: its place in the cartridge, the ``term`` of its pattern that was found, and the
    ``text`` to answer with."""

    index: int
    term: str
    text: str

    @property
    def pointer(self) -> str:
        return f"/safetyRedirects/{self.index}"


def terms(pattern: str) -> list[str]:
    """The alternatives of a pattern, without blanks around them and without empty ones."""
    return [term.strip() for term in pattern.split("|") if words(term)]


def redirect(cartridge: Cartridge, text: str) -> Redirect | None:
    """The redirect for a message, or None: the first of the cartridge's that any of its words asks for."""
    if not cartridge.safety_redirects:
        return None
    found = _joined(words(text))
    for one, sought in _terms(cartridge.safety_redirects):
        if _joined(sought) in found:
            return one
    return None


def check_output(cartridge: Cartridge, text: str) -> Redirect | None:
    """The redirect that an answer should have been, or None. What stands in one of the redirects themselves is no
    breach: a persona may say its redirect and go on."""
    if redirect(cartridge, text) is None:
        return None
    watch = OutputWatch(cartridge)
    watch.feed(text)
    watch.finish()
    return watch.hit


class OutputWatch:
    """The same check over a stream, however it is cut: nothing of a term that is a redirect's is ever released.

    ``feed`` and ``finish`` give what may be sent. Once ``hit`` is set they gave, last of all, the redirect's text, and
    give nothing more: the rest of the model's answer is not to be sent.
    """

    def __init__(self, cartridge: Cartridge) -> None:
        self.hit: Redirect | None = None
        self._held = ""
        self._sent = False
        self._inside = False  # what was released last is the beginning of a word
        entries = cartridge.safety_redirects
        self._terms = tuple((sought, one) for one, sought in _terms(entries))
        self._allowed = _allowed(entries)

    def feed(self, text: str) -> str:
        """Take the next piece of the answer; returns what may be sent now."""
        if self.hit is not None:
            return ""
        if not self._terms:
            return text
        self._held += text
        return self._release(final=False)

    def finish(self) -> str:
        """The answer is complete; returns what was held back."""
        return "" if self.hit is not None or not self._held else self._release(final=True)

    def _release(self, *, final: bool) -> str:
        found = list(placed(self._held))
        whole = len(found) - (1 if found and not final and open_ended(self._held) else 0)
        spoken = [word for word, _, _ in found]
        if self._inside and spoken and goes_on(self._held):
            spoken[0] = _REST
        at = 0
        while at < len(spoken):
            length, undecided = _longest(self._allowed, spoken, at, whole, final=final)
            if undecided:
                break
            if length:
                at += length
                continue
            hit, undecided = self._term_at(spoken, at, whole, final=final)
            if hit is not None:
                return self._redirected(found[at][1], hit)
            if undecided:
                break
            at += 1
        # Marks and invisible characters in front of the next word belong to it no less than to the last one.
        cut = found[at][1] if at < len(found) else len(self._held)
        out, self._held = self._held[:cut], self._held[cut:]
        self._inside = open_ended(out, before=self._inside) if not self._held else self._inside and not out
        self._sent = self._sent or bool(out.strip())
        return out

    def _term_at(self, spoken: Sequence[str], at: int, whole: int, *, final: bool) -> tuple[Redirect | None, bool]:
        """(the first redirect with a term here, whether more text is needed to tell)."""
        for sought, one in self._terms:
            if _is_here(sought, spoken, at, whole):
                return one, False
        return None, not final and any(_may_come(sought, spoken, at, whole) for sought, _ in self._terms)

    def _redirected(self, cut: int, hit: Redirect) -> str:
        self.hit = hit
        before, self._held = self._held[:cut], ""
        return before + ("\n\n" if self._sent or before.strip() else "") + hit.text


def _joined(found: Sequence[str]) -> str:
    return f" {' '.join(found)} "


def _is_here(sought: _Words, spoken: Sequence[str], at: int, whole: int) -> bool:
    end = at + len(sought)
    return end <= whole and tuple(spoken[at:end]) == sought


def _may_come(sought: _Words, spoken: Sequence[str], at: int, whole: int) -> bool:
    """Whether these words could still turn out to stand here: all that there is agrees, the last as a beginning."""
    there = spoken[at : at + len(sought)]
    complete = max(0, min(len(there), whole - at))
    if tuple(there[:complete]) != sought[:complete]:
        return False
    if complete == len(sought) or at + len(there) < len(spoken):
        return False
    return complete == len(there) or sought[complete].startswith(there[complete])


def _longest(allowed: Sequence[_Words], spoken: Sequence[str], at: int, whole: int, *, final: bool) -> tuple[int, bool]:
    """(words of the longest allowed phrase here, 0 for none; whether more text is needed to tell)."""
    if not final and any(_may_come(phrase, spoken, at, whole) for phrase in allowed):
        return 0, True
    return max((len(phrase) for phrase in allowed if _is_here(phrase, spoken, at, whole)), default=0), False


@lru_cache(maxsize=256)
def _terms(entries: tuple[SafetyRedirect, ...]) -> tuple[tuple[Redirect, _Words], ...]:
    return tuple(
        (Redirect(index, term, entry.redirect), tuple(words(term)))
        for index, entry in enumerate(entries)
        for term in terms(entry.pattern)
    )


@lru_cache(maxsize=256)
def _allowed(entries: tuple[SafetyRedirect, ...]) -> tuple[_Words, ...]:
    """The redirects' own words; only those that hold a term need any attention."""
    sought = [_joined(one) for _, one in _terms(entries)]
    phrases = {tuple(words(entry.redirect)) for entry in entries}
    return tuple(sorted(phrase for phrase in phrases if phrase and any(one in _joined(phrase) for one in sought)))
