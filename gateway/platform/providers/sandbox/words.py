"""Words, as far as the sandbox understands them: a rough stem to compare by, and a count to bill by."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"\w+")
_TOKEN = re.compile(r"\w+|[^\w\s]")
_SPOKEN = re.compile(r"\S+\s*")
_STOP = frozenset(
    """
    a about am an and any are as at be been but by can could did do does for from had has have he her him his how
    i if in is it its know me my of on or our please remember she should so some tell than that the their them
    then there they this to us was we were what when where which who whose why will with would you your
    """.split()  # noqa: SIM905  (a list of words reads best as words)
)
_ENDINGS = ("ings", "ing", "edly", "ied", "ies", "ed", "es", "ly", "s")


def stem(word: str) -> str:
    """A word without its accents and its commonest English ending: enough to let "moved" meet "moving"."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", word.lower()) if not unicodedata.combining(c))
    for ending in _ENDINGS:
        if plain.endswith(ending) and len(plain) - len(ending) >= 3:
            plain = plain[: -len(ending)]
            break
    if len(plain) > 3 and plain[-1] == plain[-2]:
        plain = plain[:-1]
    return plain[:-1] if len(plain) > 3 and plain[-1] in "ey" else plain


def stems(text: str) -> frozenset[str]:
    """The stems of the words that mean something."""
    return frozenset(stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP)


def count_tokens(text: str) -> int:
    """Words plus punctuation marks: deterministic, and near enough to a tokenizer for a test."""
    return len(_TOKEN.findall(text))


def spoken(text: str) -> list[str]:
    """The text word by word, each with the blanks after it. Joined, they are the text again (but for blanks in
    front).
    """
    return _SPOKEN.findall(text)
