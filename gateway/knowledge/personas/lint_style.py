"""Whether a cartridge is well made: tone, rules and examples. Warnings and advice; nothing here blocks a publish."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from gateway.knowledge.personas import manners
from gateway.knowledge.personas.lint_catalogue import RULES
from gateway.knowledge.personas.lint_reading import entries, part, rules, text, voices
from gateway.knowledge.personas.safety import terms
from gateway.knowledge.personas.types import Finding
from gateway.knowledge.personas.words import words


def _these(text: str) -> frozenset[str]:
    return frozenset(words(text))


TONES = ("friendly", "concise", "formal", "playful", "expert")
MAX_TONE_WORDS = 4
MAX_RULE_WORDS = 20
_NEGATIONS = (("do", "not"), ("don", "t"), ("dont",), ("never",), ("avoid",), ("always",), ("please",))
# Rules that name a wish and nothing that could be seen in an answer.
_VAGUE = _these(
    "good nice helpful great best better appropriate appropriately properly proper well right quality "
    "professional friendly kind polite smart be act behave try to and very really as a the in with of your "
    "you always stay person people customer customers user users possible way manner needed etc"
)
_CLARIFYING = _these("clarify clarifying clarification clarifies ambiguous ambiguity unclear vague")
_PRESSURE = _these(
    "angry furious ridiculous unacceptable annoyed annoying frustrated frustrating disappointed terrible "
    "awful useless immediately asap urgent hurry waiting waited again third stupid wrong worst complain "
    "complaint refund cancel deadline fed stressed overwhelmed lonely hate"
)
# What people commonly have to be sent on about, by field. One of these, or a word of the persona's own rules and
# examples, makes a redirect one of its domain.
_DOMAINS = _these(
    "medical medicine medication health diagnosis doctor legal law lawyer lawsuit contract financial finance "
    "investment invest tax taxes loan insurance suicide harm crisis abuse violence weapon drugs alcohol "
    "gambling security password credentials exploit malware vulnerability production salary payroll "
    "discrimination harassment termination immigration visa politics election religion refund chargeback "
    "pricing discount competitor diet pregnancy therapy emergency"
)


def tone(raw: dict[str, Any]) -> Iterator[Finding]:
    if isinstance(own := part(raw, "style", "tone"), str):
        named = [word for word in re.findall(r"[a-z]+", own.lower()) if word != "and"]
        if not named or any(word not in TONES for word in named):
            yield RULES["tone-known"].at("/style/tone", f"is usually one of {', '.join(TONES)}")
        elif len(named) > 1:
            yield RULES["tone-compound"].at("/style/tone", f"names {len(named)} tones at once")
    for place, holder in (("/style", part(raw, "style")), *voices(raw)):
        said = text(holder, "tone")
        if len(said.split()) > MAX_TONE_WORDS or len(said) > 60:
            yield RULES["tone-wordy"].at(
                f"{place}/tone", f"has {len(said.split())} words, better at most {MAX_TONE_WORDS}"
            )  # fmt: skip


def conflicts(raw: dict[str, Any]) -> Iterator[Finding]:
    forbidden = {_core(rule) for place, rule in rules(raw) if "/dont/" in place}
    for place, rule in rules(raw):
        if "/do/" in place and (_core(rule) in forbidden) and _core(rule):
            yield RULES["do-and-dont"].at(place, "is also under dont, which wins")
    if text(raw, "style", "emoji") == "none":
        for place, rule in rules(raw):
            if "/do/" in place and _core(rule)[:2] in {("use", "emoji"), ("use", "emojis"), ("add", "emoji")}:
                yield RULES["do-and-dont"].at(place, "asks for emoji, which style/emoji forbids")


def concrete(raw: dict[str, Any]) -> Iterator[Finding]:
    for place, rule in rules(raw):
        said = words(rule)
        if not said:
            yield RULES["rule-blank"].at(place, "says nothing")
        elif len(said) > MAX_RULE_WORDS:
            yield RULES["rule-short"].at(place, f"has {len(said)} words, better at most {MAX_RULE_WORDS}")
        elif all(word in _VAGUE for word in said):
            yield RULES["rule-concrete"].at(place, "could be said of any persona")


def clarifying(raw: dict[str, Any]) -> Iterator[Finding]:
    if not isinstance(part(raw, "behavior", "do"), list):
        return
    for place, rule in rules(raw):
        said = set(words(rule))
        if "/do/" in place and (said & _CLARIFYING or ("ask" in said and said & {"question", "when", "if", "before"})):
            return
    yield RULES["clarifying-question"].at("/behavior/do", "has no rule that says when to ask a clarifying question")


def domain(raw: dict[str, Any]) -> Iterator[Finding]:
    own = {word for _, rule in rules(raw) for word in words(rule) if len(word) > 4}
    own |= {word for turn in entries(raw, "examples") for word in words(text(turn, "user")) if len(word) > 4}
    named = {
        word
        for entry in entries(raw, "safetyRedirects")
        for term in terms(text(entry, "pattern"))
        for word in words(term)
    }
    if named and not named & (_DOMAINS | own):
        yield RULES["redirect-domain"].at("/safetyRedirects", "names no subject that this persona will be asked about")


def examples(raw: dict[str, Any]) -> Iterator[Finding]:
    strict = text(raw, "style", "formality") == "high" or text(raw, "style", "slang") == "none"
    turns = entries(raw, "examples")
    for index, turn in enumerate(turns):
        place, said = f"/examples/{index}/assistant", text(turn, "assistant")
        casual = manners.casual(said)
        if text(raw, "style", "emoji") == "none" and manners.emoji(said):
            yield RULES["examples-tone"].at(place, "has an emoji, which style/emoji forbids")
        if strict and casual:
            yield RULES["examples-tone"].at(place, f"says {casual[0]!r}, which the style forbids")
    if not isinstance(raw.get("examples", []), list):
        return
    if not any("!" in text(turn, "user") or _PRESSURE & set(words(text(turn, "user"))) for turn in turns):
        yield RULES["example-pressure"].at("/examples", "show nobody who is angry, impatient or in need")


def _core(rule: str) -> tuple[str, ...]:
    """A rule without the words in front that only say whether it is wanted."""
    said = tuple(words(rule))
    while opening := next((one for one in _NEGATIONS if said[: len(one)] == one), None):
        said = said[len(opening) :]
    return said


STYLE_CHECKS: tuple[Callable[[dict[str, Any]], Iterator[Finding]], ...] = (
    tone, conflicts, concrete, clarifying, domain, examples,
)  # fmt: skip
