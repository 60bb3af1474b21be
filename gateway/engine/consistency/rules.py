"""Which of a persona's rules an answer breaks, as far as that can be told without a model. Pure; English.

Three kinds of rule can be told: one that puts words in quotation marks, one about something that is seen in the text (a
question, a list, an emoji …), and, of what is never done, one whose words all stand in one sentence that does not deny
them. What holds only under a condition ("when …") cannot; it is left to a judge, and said to be unchecked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.knowledge.memory.wording import content_words, negations
from gateway.knowledge.personas import manners
from gateway.knowledge.personas.words import words

_CONDITIONS = frozenset(words("when whenever if unless until before after once where while except only during"))
_QUOTED = re.compile('["\u201c]([^"\u201c\u201d]{2,80})["\u201d]')
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_LIST = re.compile(r"^\s*(?:[-*\u2022]|\d+[.)])\s+", re.MULTILINE)
_MARKUP = re.compile(r"\*\*|__|^#{1,6} |`", re.MULTILINE)
_ADDRESS = re.compile(r"https?://|www\.", re.IGNORECASE)
_SHORT_SENTENCE = 20
# Of a rule with fewer words nothing can be told by its words; with more, no sentence has them all.
_FEWEST, _MOST = 2, 5
# They say that a rule is one, not what it is about.
_OPENINGS = frozenset(words("always never do dont don t not avoid please ever must should use using any")) | {"don't"}

Sign = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class RuleVerdicts:
    """``kept`` and ``broken`` rules as the cartridge words them, and those that nobody could tell."""

    kept: tuple[str, ...]
    broken: tuple[str, ...]
    unchecked: tuple[str, ...]


def sentences(text: str) -> list[str]:
    """The text's sentences and lines, without empty ones."""
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def _short(text: str) -> bool:
    found = sentences(text)
    return not found or sum(len(words(one)) for one in found) / len(found) <= _SHORT_SENTENCE


def _says(*spoken: str) -> Sign:
    return lambda text: bool(set(words(text)) & set(spoken))


# (words of which a rule has all, what is seen in an answer that does it); the first that fits.
_SIGNS: tuple[tuple[frozenset[str], Sign], ...] = (
    (frozenset({"short", "sentence"}), _short),
    (frozenset({"exclamation"}), lambda text: "!" in text),
    (frozenset({"emoji"}), lambda text: manners.emoji(text) > 0),
    (frozenset({"bullet"}), lambda text: _LIST.search(text) is not None),
    (frozenset({"list"}), lambda text: _LIST.search(text) is not None),
    (frozenset({"markdown"}), lambda text: _MARKUP.search(text) is not None),
    (frozenset({"link"}), lambda text: _ADDRESS.search(text) is not None),
    (frozenset({"url"}), lambda text: _ADDRESS.search(text) is not None),
    (frozenset({"question"}), lambda text: "?" in text),
    (frozenset({"slang"}), lambda text: bool(manners.casual(text))),
    (frozenset({"contraction"}), lambda text: manners.contractions(text) > 0),
    (frozenset({"apologize"}), _says("sorry", "apologize", "apologise", "apologies", "apology")),
    (frozenset({"apologise"}), _says("sorry", "apologize", "apologise", "apologies", "apology")),
    (frozenset({"greet"}), _says("hello", "hi", "hey", "welcome", "greetings", "morning", "afternoon", "evening")),
    (frozenset({"thank"}), _says("thank", "thanks")),
)


def judged(answer: str, do: Sequence[str], dont: Sequence[str]) -> RuleVerdicts:
    """What an answer makes of the rules."""
    kept: list[str] = []
    broken: list[str] = []
    unchecked: list[str] = []
    for rule, wanted in (*((one, True) for one in do), *((one, False) for one in dont)):
        done = _done(rule, answer, wanted=wanted)
        if done is None:
            unchecked.append(rule)
        else:
            (kept if done is wanted else broken).append(rule)
    return RuleVerdicts(tuple(kept), tuple(broken), tuple(unchecked))


def _done(rule: str, answer: str, *, wanted: bool) -> bool | None:
    """Whether the answer does what the rule speaks of; None where that cannot be told."""
    said = set(words(rule))
    if said & _CONDITIONS:
        return None
    quoted = _QUOTED.findall(rule)
    if quoted:
        spoken = " ".join(words(answer))
        found = [" ".join(words(one)) in spoken for one in quoted]
        return all(found) if wanted else any(found)
    about = content_words(rule) - _OPENINGS
    sign = next((sign for needed, sign in _SIGNS if needed <= about), None)
    if sign is not None:
        return sign(answer)
    if wanted or not _FEWEST <= len(about) <= _MOST:
        return None
    return any(about <= content_words(one) and not negations(one) for one in sentences(answer))
