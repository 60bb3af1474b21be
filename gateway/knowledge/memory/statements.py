"""What a person says of themselves in a conversation, read out by rules: no model, the same answer every time. Pure.

A sentence in the first person that states something is worth keeping; a question, a request, small talk, or what
somebody might do is not. Where the sentence fixes a known attribute it gets that attribute's slot and value, so that a
later one that says otherwise takes over. English; of another language nothing is read out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gateway.knowledge.memory.types import MAX_TEXT, MemoryType

_TITLE = r"(?:(?<=\bSt)|(?<=\bDr)|(?<=\bMr)|(?<=\bMs)|(?<=\bMrs)|(?<=\bProf))\."
_SENTENCE = re.compile(rf"[^.!?\n]+(?:(?:{_TITLE}|[.!?](?!\s|\Z))[^.!?\n]*)*[.!?]?")
_FIRST_PERSON = re.compile(r"\b(?:i|i'm|i've|i'd|i'll|my|mine|we|we're|we've|our)\b", re.I)
_ASKED = re.compile(
    r"\A(?:please\s+)?(?:can|could|would|will|do|does|did|is|are|was|were|what|when|where|who|which|why|how|should|may)\b",
    re.I,
)
_MIGHT = re.compile(
    r"\b(?:if i|i wish|i would|i'd (?:like|love) (?:you|to know)|maybe i|i might|i wonder|i guess)\b", re.I
)
_TALK = re.compile(
    r"\A(?:i (?:see|understand|agree|know|mean|think so|don't know|am not sure|appreciate)|i'm (?:fine|good|ok(?:ay)?|"
    r"sorry|not sure|asking|looking for)|my (?:question|bad|apologies))\b",
    re.I,
)
_ASIDE = re.compile(
    r"\A(?:and|but|so|well|oh|hi|hey|hello|yes|no|ok(?:ay)?|also|actually|by the way|btw|please|,|\s)+", re.I
)
_REMEMBER = re.compile(
    r"\A(?:please\s+)?(?:remember|keep in mind|note|don't forget)(?: that)?[:,]?\s+(?P<rest>.+)", re.I
)
# A value ends where the next thought begins.
_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_ENDS = (
    rf"and|but|because|since|which|who|so|now|these days|for (?:a|the|\w+ years?)|in (?:{_MONTHS}|\d{{4}})"
    r"|(?:last|this) (?:week|month|year|spring|summer|autumn|fall|winter)|yesterday|today|recently"
)
_VALUE = rf"(?P<value>(?:[^,;.!?]|{_TITLE})+?)(?=\s+(?:{_ENDS})\b|(?!{_TITLE})[,;.!?]|\Z)"
# "… and I …" are two statements.
_NEXT = re.compile(r",?\s+(?:and|but)\s+(?=(?:i|i'm|i've|my|we|we're|our)\b)", re.I)


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that was said. ``slot`` and ``value`` where the words fix a known attribute."""

    text: str
    type: str
    slot: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    slot: str | Callable[[re.Match[str]], str]
    type: str = MemoryType.FACT


def _rule(words: str, slot: str | Callable[[re.Match[str]], str], kind: str = MemoryType.FACT) -> _Rule:
    return _Rule(re.compile(rf"\b(?:{words})\s+{_VALUE}", re.I), slot, kind)


_JOB = r"\w+(?:er|or|ist|ian|ant|ent|man|woman)\b"
_SOMEBODY = "wife|husband|partner|son|daughter|brother|sister|mother|father|mom|dad|boss|dog|cat"
_RULES = (
    _rule(r"my (?:full |first )?name is", "identity.name"),
    _rule(r"(?:you can |please )?call me", "identity.nickname"),
    _rule(r"i live in|i(?:'m| am) (?:now )?living in|i (?:just |recently )?(?:have )?moved to", "home.city"),
    _rule(r"i(?:'m| am) from|i was born in|i come from", "identity.origin"),
    _rule(r"i (?:now )?work (?:at|for)|i (?:just )?started (?:working )?at|i joined", "work.employer"),
    _rule(rf"i work as(?: an?)?|my job is(?: an?)?|i(?:'m| am) an?(?= {_JOB})", "work.title"),
    _rule(r"my birthday is(?: on)?|i was born on", "identity.birthday"),
    _rule(r"i(?:'m| am) allergic to", "health.allergy"),
    _rule(r"my phone number is", "contact.phone"),
    _rule(r"my e-?mail(?: address)? is", "contact.email"),
    _rule(
        r"my favou?rite (?P<kind>[\w ]{2,30}?) (?:is|are)",
        lambda found: f"favorite_{'_'.join(found['kind'].lower().split())}",
        MemoryType.PREFERENCE,
    ),
    _rule(
        rf"my (?P<who>{_SOMEBODY})(?:'s name is| is called| is named)",
        lambda found: f"people.{found['who'].lower()}.name",
        MemoryType.RELATIONSHIP,
    ),
)
_LIKES = re.compile(
    r"\bi (?:really |always |absolutely )?(?:like|love|enjoy|prefer|hate|dislike|can't stand|avoid)\b", re.I
)
_PEOPLE = re.compile(
    r"\bmy (?:wife|husband|partner|son|daughter|brother|sister|mother|father|mom|dad|friend|boss|kids?)\b", re.I
)
_COMING = re.compile(
    r"\b(?:i'm going to|i am going to|i will|i'll|we're going to|next (?:week|month|year)|tomorrow)\b", re.I
)
_LEAST_WORDS = 3


def read(text: str) -> Iterator[Statement]:
    """The statements in one message of a person, in the order of its words."""
    for found in _SENTENCE.finditer(text):
        sentence = _ASIDE.sub("", found[0].strip()).strip()
        told = _REMEMBER.match(sentence)
        if told is not None:
            yield _stated(told["rest"].strip())
        elif _worth_keeping(sentence):
            yield from (_stated(part.strip()) for part in _NEXT.split(sentence))


def _worth_keeping(sentence: str) -> bool:
    if sentence.endswith("?") or len(sentence.split()) < _LEAST_WORDS:
        return False
    if _ASKED.match(sentence) or _TALK.match(sentence) or _MIGHT.search(sentence):
        return False
    return _FIRST_PERSON.search(sentence) is not None


def _stated(sentence: str) -> Statement:
    text = (sentence[:1].upper() + sentence[1:])[:MAX_TEXT]
    for rule in _RULES:
        found = rule.pattern.search(sentence)
        if found is not None:
            slot = rule.slot if isinstance(rule.slot, str) else rule.slot(found)
            return Statement(text, rule.type, slot, found["value"].strip())
    if _LIKES.search(sentence):
        return Statement(text, MemoryType.PREFERENCE)
    if _COMING.search(sentence):
        return Statement(text, MemoryType.FUTURE_EVENT)
    return Statement(text, MemoryType.RELATIONSHIP if _PEOPLE.search(sentence) else MemoryType.FACT)
