"""What overlays say about one field: the most specific default, and the locks. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.governance.policies.terms import Fields, Overlay

T = TypeVar("T")
BUILT_IN = "built-in"
REQUEST = "request"
KEY = "key"


@dataclass(frozen=True, slots=True)
class Said(Generic[T]):
    """A value and whose it is."""

    value: T
    by: str


def specific_default(ordered: Sequence[Overlay], pick: Callable[[Fields], T | None]) -> Said[T] | None:
    """The most specific default that speaks: the last level's, and in it the highest precedence (rule b)."""
    best: tuple[int, Said[T]] | None = None
    for overlay in ordered:
        value = pick(overlay.defaults)
        if value is not None and (best is None or overlay.level.rank > best[0]):
            best = (overlay.level.rank, Said(value, overlay.name))
    return best[1] if best else None


def locks_of(ordered: Sequence[Overlay], pick: Callable[[Fields], T | None]) -> list[Said[T]]:
    """Every lock of a field, the most authoritative first."""
    said = [(pick(overlay.locks), overlay.name) for overlay in ordered]
    return [Said(value, name) for value, name in said if value is not None]


def source_rule(by: str) -> str:
    """Which rule of the merge a value that no lock changed comes from."""
    return {BUILT_IN: "nobody set it", REQUEST: "the request's wish"}.get(by, "the most specific default")
