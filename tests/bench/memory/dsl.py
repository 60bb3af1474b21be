"""The stories' source files: values, turns and questions of each domain, read into plain records.

A domain (``domains/*.txt``) starts with ``# name``. Alternatives are separated by `` | ``.

    % the course | …      what the story is about, when it has to be said again
    $ place: …            values that a story draws one of
    open A: …             a turn: its key, who speaks (A owns the story, B listens, @gmail is a source), its wordings
    - react B: …          a turn that may be left out
    > made A: …           a turn of a later day
    ? where: …            a question that the turn ``where`` answers, in words near to the turn's
    ~ where: …            the same in other words
    + where made: …       a question that needs both turns
    * made: …             a question for this turn of all of A's stories of the domain
    @ who: …              a description of the person {P} of the turn ``who``, for questions in two steps
    ! …                   a question about something the domain never tells
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent
_TURN = re.compile(r"^(?P<mark>[->] )?(?P<key>\w+) (?P<who>A|B|@\w+): (?P<texts>.+)$")


@dataclass(frozen=True, slots=True)
class Line:
    """A turn of a story before its values are filled in."""

    key: str
    who: str
    texts: tuple[str, ...]
    optional: bool
    later: bool


@dataclass(frozen=True, slots=True)
class Ask:
    """A question before its values are filled in: ``kind`` is the mark it is written with."""

    kind: str
    keys: tuple[str, ...]
    text: str


@dataclass(slots=True)
class Domain:
    name: str
    topic: tuple[str, ...] = ()
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    never: list[str] = field(default_factory=list)
    person: tuple[str, str] | None = None


@dataclass(slots=True)
class Fact:
    """An attribute that has one value at a time. ``other``: what somebody else says that sounds like it."""

    name: str
    type: str = "fact"
    source: str = "chat"
    values: tuple[str, ...] = ()
    said: dict[str, tuple[str, ...]] = field(default_factory=dict)
    asks: list[Ask] = field(default_factory=list)
    hop: str = ""


@dataclass(slots=True)
class Noise:
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    talks: list[tuple[str, str]] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)
    entries: list[str] = field(default_factory=list)


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(" | "))


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


@cache
def domains() -> tuple[Domain, ...]:
    """All domains, in the order of their names. Raises ValueError for a line that means nothing."""
    found: list[Domain] = []
    for path in sorted((_HERE / "domains").glob("*.txt")):
        for line in _lines(path):
            if line.startswith("# "):
                found.append(Domain(line[2:].strip()))
            else:
                _domain_line(found[-1], line)
    return tuple(sorted(found, key=lambda domain: domain.name))


def _domain_line(domain: Domain, line: str) -> None:
    mark, _, rest = line.partition(" ")
    name, _, text = rest.partition(": ")
    if mark == "%":
        domain.topic = _split(rest)
    elif mark == "$":
        domain.values[name] = _split(text)
    elif mark in {"?", "~", "+", "*"}:
        domain.asks.append(Ask(mark, tuple(name.split()), text.strip()))
    elif mark == "@":
        domain.person = (name, text.strip())
    elif mark == "!":
        domain.never.append(rest)
    elif turn := _TURN.match(line):
        flags = (turn["mark"] or "").strip()
        domain.lines.append(Line(turn["key"], turn["who"], _split(turn["texts"]), flags == "-", flags == ">"))
    else:
        raise ValueError(f"{domain.name}: {line}")


@cache
def facts(name: str) -> tuple[Fact, ...]:
    """``slots``: attributes of the subject; ``circle``: of the people around."""
    found: list[Fact] = []
    for line in _lines(_HERE / "facts" / f"{name}.txt"):
        if line.startswith("# "):
            parts = _split(line[2:])
            found.append(Fact(*parts))
        elif line.startswith("$ "):
            found[-1].values = _split(line.partition(": ")[2])
        elif line[:2] in {"? ", "~ "}:
            found[-1].asks.append(Ask(line[0], (), line[2:].strip()))
        else:
            key, _, text = line.partition(": ")
            if key == "hop":
                found[-1].hop = text.strip()
            else:
                found[-1].said[key] = _split(text)
    return tuple(found)


@cache
def noise() -> Noise:
    """Small talk, newsletters and calendar entries that answer nothing."""
    found = Noise()
    for line in _lines(_HERE / "facts" / "noise.txt"):
        mark, _, rest = line.partition(" ")
        if mark == "$":
            name, _, text = rest.partition(": ")
            found.values[name] = _split(text)
        elif mark == "T":
            first, _, second = rest.partition(" / ")
            found.talks.append((first, second))
        else:
            (found.mails if mark == "M" else found.entries).append(rest)
    return found
