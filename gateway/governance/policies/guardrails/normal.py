"""Texts as they are read for signs of injection: what only hides a word from a machine is taken out.

Case, compatibility forms (full width, ligatures), invisible characters, letters of other alphabets that look Latin.
Each character of the result knows where it came from, so that a find can be masked in the text itself.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

# Beyond it a text is not read for injection; a limit of length is what refuses longer ones.
MOST_CHARS = 1_000_000
_UNSEEN = frozenset("\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u3164\ufe0f\ufeff") | {
    chr(code)
    for first, last in ((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0xE0000, 0xE007F))
    for code in range(first, last + 1)
}
_LOOKALIKES = str.maketrans("аеорсухіјѕԁһꜱɡı", "aeopcyxijsdhsgi")
_QUOTES = str.maketrans("\u2019\u2018\u201c\u201d\u00a0", "''\"\" ")
_LEET = str.maketrans("0134578@$!", "oieastba" + "si")
_APART = re.compile(r"(?:(?<=\s)|^)(?:\w[ .\-_*]){4,60}\w(?=\W|$)")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{24,4000}={0,2}")
_MOST_DECODED = 20


@dataclass(frozen=True, slots=True)
class Read:
    """A text as it is read. ``places`` are the indices of its characters in the original; None where they are the
    same."""

    text: str
    places: tuple[int, ...] | None

    def original(self, begin: int, end: int) -> tuple[int, int]:
        """A span of the read text in the original."""
        if self.places is None:
            return begin, end
        return self.places[begin], self.places[end - 1] + 1


def folded(text: str) -> str:
    """The text in lower case, character by character and as long as it was."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(one if len(one) == 1 else " " for one in map(str.lower, text))


def read(text: str) -> Read:
    """The text as it is read for signs."""
    if text.isascii():
        return Read(text.lower(), None)
    parts: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        if char in _UNSEEN:
            continue
        shown = char if char.isascii() else unicodedata.normalize("NFKC", char).translate(_QUOTES)
        shown = shown.lower()
        parts.append(shown)
        places.extend([place] * len(shown))
    joined = "".join(parts)
    return Read(joined, tuple(places))


def disguised(text: str) -> Iterator[str]:
    """Other readings of a folded text, where it gives a reason to look for one: words of two alphabets, letters set
    apart, digits for letters, Base64."""
    if not text.isascii() and (alike := text.translate(_LOOKALIKES)) != text:
        yield alike
    if _APART.search(text):
        yield _APART.sub(lambda match: re.sub(r"[ .\-_*]", "", match.group()), text)
    if sum(char in "0134578@$" for char in text) >= 3 and (plain := text.translate(_LEET)) != text:
        yield plain


def decoded(text: str) -> Iterator[str]:
    """What the text carries in Base64, as far as it is readable."""
    for number, match in enumerate(_BASE64.finditer(text)):
        if number >= _MOST_DECODED:
            return
        carried = match.group()
        try:
            inside = base64.b64decode(carried + "=" * (-len(carried) % 4), validate=True).decode()
        except (binascii.Error, ValueError):
            continue
        if inside.isprintable() or "\n" in inside:
            yield inside
