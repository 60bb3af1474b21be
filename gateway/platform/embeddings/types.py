"""What an embedding is, and whose model makes it."""

from __future__ import annotations

from dataclasses import dataclass

# Of one vector: wider ones cost recall more time than they gain (ADR-0007).
MAX_DIMENSIONS = 512


@dataclass(frozen=True, slots=True)
class Embedded:
    """A text's vector of length 1, and the space that it belongs to. Vectors of two spaces cannot be compared."""

    model_id: str
    vector: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which model an organization's memories are embedded with.

    ``endpoint`` is ``provider/model`` of a provider of its own, None for the built-in model. ``dimensions`` is what the
    endpoint is asked for; ``shorten`` allows what is longer than 512 to be cut, which only models made for that bear.
    ``model_id`` names the space.
    """

    model_id: str
    endpoint: str | None = None
    dimensions: int | None = None
    shorten: bool = False
