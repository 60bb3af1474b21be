"""What is kept about a subject, by part: how to export it and how to erase it.

The parts lie in many slices, and slices that come later bring theirs. Each registers itself at start-up; whoever
exports or erases a subject (``gateway.engine.erasure``) walks all that are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Target:
    """Whose data. ``before`` is set where the same ``id`` names a new subject by now: of what is found by id alone only
    what was begun earlier is meant. What is found by ``pk`` always is."""

    pk: UUID
    id: str
    before: datetime | None = None


Erase = Callable[[Target], Mapping[str, int]]
Export = Callable[[Target], Iterator[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Part:
    """One slice's share. ``erase`` deletes everything in batches and returns how many of which kind; run again it finds
    nothing. ``export`` yields plain JSON objects, each with its ``type``."""

    name: str
    erase: Erase | None
    export: Export | None


_parts: dict[str, Part] = {}


def register(name: str, *, erase: Erase | None = None, export: Export | None = None) -> None:
    """Add a part; once per name. Parts are exported and erased in the order of their registration."""
    part = Part(name, erase, export)
    if _parts.get(name, part) != part:
        raise RuntimeError(f"Two parts of a subject's data are called {name!r}.")
    _parts[name] = part


def parts() -> tuple[Part, ...]:
    """All parts."""
    return tuple(_parts.values())
