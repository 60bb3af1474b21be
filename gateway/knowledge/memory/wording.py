"""Whether two texts say the same thing in nearly the same words, by rules alone. Pure; English, like the index."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_LETTERS = re.compile(r"[^\W_]+")


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SILENT = _listed(
    """a an and are as at be been by did do does for from had has have he her hers him his i in is it its me my of on or
    our she so that the their them they this to user person subject customer was we were who will with you your
    am i'm he's she's they're it's that's"""
)
_NEGATIONS = _listed(
    """no not never none nor without cannot stopped quit former formerly longer anymore isn't aren't wasn't weren't
    don't doesn't didn't can't couldn't won't wouldn't hasn't haven't hates hate dislikes dislike"""
)
# A text is a restatement only of something that is not much longer than itself.
_COVERED = 0.5


def normal(text: str) -> str:
    """Compatibility forms, case and runs of white space evened out."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def same_words(text: str) -> tuple[str, ...]:
    """The words of a text in lower case, in their order: two memories that are equal in them are shown as one."""
    return tuple(_LETTERS.findall(text.casefold())) or (text.casefold(),)


def content_words(text: str) -> frozenset[str]:
    """The words that carry meaning, without the plain endings of plurals and verbs; numbers and negations stay."""
    found = (word.replace("’", "'") for word in _WORD.findall(normal(text)))
    return frozenset(_stem(word) for word in found if word not in _SILENT)


def negations(text: str) -> frozenset[str]:
    """The words of a text that turn its meaning round."""
    return frozenset(word.replace("’", "'") for word in _WORD.findall(normal(text))) & _NEGATIONS


def negated(text: str) -> bool:
    """Whether a text denies rather than states."""
    return len(negations(text)) % 2 == 1


def digest(text: str) -> bytes:
    """SHA-256 of a text's content words, whatever their order and whatever stands between them."""
    words = content_words(text) or frozenset({normal(text)})
    return hashlib.sha256("\x1f".join(sorted(words)).encode()).digest()


def restates(text: str, known: str) -> bool:
    """Whether ``text`` says nothing that ``known`` does not: all its words are there, and the same ones deny."""
    words, there = content_words(text), content_words(known)
    if not words:
        return normal(text) == normal(known)
    return words <= there and len(words) >= _COVERED * len(there) and negations(text) == negations(known)


def _stem(word: str) -> str:
    word = word.removesuffix("'s")
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
