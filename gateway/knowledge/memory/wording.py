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
_SENTENCES = re.compile(r"[.!?;\n]+|,? (?:and|but) ")
# How much of a sentence must be what was forgotten: "a dog house to sell" says nothing of having a dog.
_ADDED_TO_ONE, _ADDED_TO_MORE = 0.5, 0.3
# Endings of derived words, the longest first, each with how much of a word must be left: moving as moved, but not
# care as car.
_ENDINGS = (
    ("ical", 4), ("ing", 3), ("ied", 4), ("ie", 5), ("ic", 4), ("ed", 3), ("ve", 2), ("e", 4), ("y", 4),
)  # fmt: skip
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


def says_again(text: str, forgotten: str) -> bool:
    """Whether ``text`` says what ``forgotten`` says, and perhaps more: in one of its sentences stand all its words, in
    whatever form, and what it adds is not the most of it by far. What denies otherwise is another statement."""
    known = _roots(forgotten)
    if not known:
        return False
    share = _ADDED_TO_ONE if len(known) == 1 else _ADDED_TO_MORE
    return any(
        known <= (words := _roots(sentence))
        and len(known) >= share * len(words)
        and negations(sentence) == negations(forgotten)
        for sentence in (text, *_SENTENCES.split(text))
    )


def _roots(text: str) -> frozenset[str]:
    """A text's content words without the endings that English derives words by: allergy, allergies, allergic. Coarser
    than ``content_words``, whose digests are kept."""
    return frozenset(_root(word) for word in content_words(text))


def _root(word: str) -> str:
    for ending, least in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= least:
            return word.removesuffix(ending) + ("v" if ending == "ve" else "")
    return word


def _stem(word: str) -> str:
    word = word.removesuffix("'s")
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
