"""Cutting a text into passages that make sense by themselves: at headings, then paragraphs, then sentences. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gateway.engine.documents.types import Passage

# Long enough for an answer to stand in one, short enough for a prompt to hold ten.
AIM, MOST = 800, 1_200
_HEADING = re.compile(r"(#{1,6})[ \t]+(.+?)[ \t#]*\Z")
_FENCE = re.compile(r"(```|~~~)")
_SENTENCE = re.compile(r"(?<=[.!?…])[\"'”’)]*\s+(?=\S)")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a document, or the whole of one that has none (``number`` None)."""

    text: str
    number: int | None = None


def cut(pages: Iterable[Page], *, markdown: bool) -> Iterator[Passage]:
    """The passages in order. Every word of the text is in exactly one of them, headings apart, which stand beside."""
    position = 0
    path: list[str] = []
    for page in pages:
        places = _Places(page.text)
        for heading, body in _sections(page.text, path) if markdown else [(None, page.text)]:
            for text in _pieces(body):
                position += 1
                yield Passage(position, text, page.number, heading, places.of(text))


class _Places:
    """Where passages stand in a page, asked for in their order. A passage has the page's characters in the page's
    order; only its white space is its own."""

    def __init__(self, text: str) -> None:
        self._at = [at for at, char in enumerate(text) if not char.isspace()]
        self._text, self._from = "".join(text[at] for at in self._at), 0

    def of(self, passage: str) -> tuple[int, int] | None:
        words = "".join(passage.split())
        found = self._text.find(words, self._from)
        if found < 0 or not words:
            return None
        self._from = found + len(words)
        return self._at[found], self._at[self._from - 1] + 1


def _sections(text: str, path: list[str]) -> Iterator[tuple[str | None, str]]:
    """(way of headings, text below it). ``path`` is kept from page to page; a ``#`` inside a code block is no
    heading."""
    lines: list[str] = []
    fenced = False
    for line in text.splitlines():
        fenced ^= bool(_FENCE.match(line.strip()))
        found = None if fenced else _HEADING.match(line.strip())
        if found is None:
            lines.append(line)
            continue
        yield _way(path), "\n".join(lines)
        lines = []
        level = len(found[1])
        del path[level - 1 :]
        path.extend([""] * (level - 1 - len(path)))
        path.append(found[2].strip())
    yield _way(path), "\n".join(lines)


def _way(path: list[str]) -> str | None:
    return " › ".join(part for part in path if part)[:512] or None


def _pieces(text: str) -> Iterator[str]:
    """Paragraphs, joined as long as they are short together and cut where one is too long."""
    held = ""
    for paragraph in re.split(r"\n[ \t]*\n", text):
        words = _tidy(paragraph)
        if not words:
            continue
        if held and len(held) + len(words) + 2 > AIM:
            yield held
            held = ""
        held = f"{held}\n\n{words}" if held else words
        while len(held) > MOST:
            head, held = _split(held)
            yield head
    if held:
        yield held


def _split(text: str) -> tuple[str, str]:
    """The text in two, the first as near to ``AIM`` as a sentence, else a blank, allows."""
    ends = [found.end() for found in _SENTENCE.finditer(text, AIM // 2, MOST)]
    at = min(ends, key=lambda end: abs(end - AIM), default=0) or text.rfind(" ", AIM // 2, MOST) + 1 or MOST
    return text[:at].strip(), text[at:].strip()


def _tidy(paragraph: str) -> str:
    """Lines keep their breaks (a list stays a list), blanks at their ends go."""
    return "\n".join(line.strip() for line in paragraph.splitlines() if line.strip())
