"""The port through which policy says for how long bodies that are kept already may still be; filled at start-up,
because policies stand above."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Bounds:
    """Days since a body was kept: of all of them (None: as the settings say), and of single subjects'."""

    days: int | None = None
    of_subjects: Mapping[str, int] = field(default_factory=dict)


Told = Callable[[], Bounds]
_told: Told | None = None


def fill(told: Told) -> None:
    """Install who tells them for the organization in scope; called once."""
    global _told
    _told = told


def now() -> Bounds:
    """The bounds as they are now, of the organization in scope."""
    if _told is None:
        raise RuntimeError("Nobody tells what policy keeps: gateway.governance.policies must be installed.")
    return _told()
