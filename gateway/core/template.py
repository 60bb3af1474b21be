"""Encoded texts that differ in a few places only: made once by the usual encoder from an example that holds marks where
calls differ, and filled in for each call.

So what a template gives is what the encoder would have given, without a second description of it anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from operator import itemgetter

# Numbers of one length that occur nowhere else, so that none is found inside of another.
_HOLE = re.compile(rb"(?<!%)((?:%%)*)%\((\w+)\)")
_WHOLE, _TENTH = 7_130_000_000_000_000, 713_000_000_000.5


class Template:
    """``fill`` takes every hole's value by name, as bytes. There are at least two holes."""

    __slots__ = ("_pick", "_text")

    def __init__(self, text: bytes) -> None:
        # By place rather than by name: that is twice as fast.
        self._pick = itemgetter(*(name for _, name in _HOLE.findall(text)))
        self._text = _HOLE.sub(rb"\1%", text)

    def fill(self, values: Mapping[bytes, object]) -> bytes:
        """The text. Raises KeyError for a hole without a value."""
        filled: bytes = self._text % self._pick(values)
        return filled


class Marks:
    """Marks for one example. Each ``whole``, ``tenth``, ``exact`` and ``text`` names a hole and gives what to put into
    the example in its place."""

    def __init__(self) -> None:
        self._holes: dict[bytes, bytes] = {}

    def whole(self, name: str) -> int:
        """A whole number."""
        mark = _WHOLE + len(self._holes)
        self._holes[b"%d" % mark] = f"%({name})d".encode()
        return mark

    def tenth(self, name: str) -> float:
        """A number that is rounded to one place."""
        return self._decimal(f"%({name}).1f")

    def exact(self, name: str) -> float:
        """A number that is written as it is."""
        return self._decimal(f"%({name})r")

    def text(self, name: str, mark: str) -> str:
        """A text of the length of ``mark``, which must be found nowhere else."""
        self._holes[mark.encode()] = f"%({name})b".encode()
        return mark

    def also(self, text: str, directive: str) -> None:
        """Something that follows from a mark, such as a sum or a length, with its own ``%`` directive."""
        self._holes[text.encode()] = directive.encode()

    def _decimal(self, directive: str) -> float:
        mark = _TENTH + len(self._holes)
        self._holes[repr(mark).encode()] = directive.encode()
        return mark

    def template(self, encoded: bytes) -> Template:
        """The example with a hole for each mark that is found in it."""
        text = encoded.replace(b"%", b"%%")
        # What contains another mark goes first.
        for mark in sorted(self._holes, key=len, reverse=True):
            text = text.replace(mark, self._holes[mark])
        return Template(text)
