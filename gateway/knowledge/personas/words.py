"""Text as words to compare: case, accents, full-width letters and invisible characters make no difference. Pure.

Chinese, Japanese and Thai do not put blanks between words, so each of their characters counts as a word of its own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

# Scripts without blanks between words: Thai to Myanmar, CJK radicals to Yi (kana among them), compatibility ideographs,
# and the supplementary ideographs.
_WITHOUT_BLANKS = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2E80, 0x312F), (0x3190, 0xA4CF), (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)  # fmt: skip


class _Folding(dict[int, str]):
    """For ``str.translate``: what each character counts as, worked out at its first use. Letters and digits become
    their folded form, marks and invisible characters nothing, everything else a blank."""

    def __missing__(self, point: int) -> str:
        char = chr(point)
        folded = "".join(
            part for part in unicodedata.normalize("NFKD", char).casefold() if unicodedata.category(part) != "Mn"
        )
        if unicodedata.category(char) in {"Mn", "Cf"}:
            found = ""
        elif not folded or not folded.isalnum():
            found = " "
        elif any(first <= point <= last for first, last in _WITHOUT_BLANKS):
            found = f" {folded} "
        else:
            found = folded
        self[point] = found
        return found


_FOLDING = _Folding()


def words(text: str) -> list[str]:
    """The text's words, folded."""
    return text.translate(_FOLDING).split()


def placed(text: str) -> Iterator[tuple[str, int, int]]:
    """Each word with where it begins and ends in the text. ``words`` of the same text are the same words."""
    word, began, ends = "", 0, 0
    for at, char in enumerate(text):
        folded = _FOLDING[ord(char)]
        if not folded:
            continue
        alone = folded[0] == " "
        if word and alone:
            yield word, began, ends
            word = ""
        if not alone:
            began = began if word else at
            word, ends = word + folded, at + 1
        elif folded != " ":
            yield folded.strip(), at, at + 1
    if word:
        yield word, began, ends


def open_ended(text: str, *, before: bool = False) -> bool:
    """Whether the last word may go on in what follows the text; ``before`` for a text of invisible characters alone."""
    last = next((folded for char in reversed(text) if (folded := _FOLDING[ord(char)])), None)
    return before if last is None else last[0] != " "


def goes_on(text: str) -> bool:
    """Whether the text begins with what may be the rest of a word that stood before it."""
    first = next((folded for char in text if (folded := _FOLDING[ord(char)])), " ")
    return first[0] != " "
