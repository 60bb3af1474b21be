"""What a kept request asked for, as far as policy looks at it, whichever dialect it was sent in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.engine.routing import Passing
from gateway.platform.requests.types import KeptInput


@dataclass(frozen=True, slots=True)
class Asked:
    """A request's wishes and texts; ``texts`` and ``names`` in the order in which a turn looks at them, masked as they
    were kept.
    ``needs`` narrow ``auto``. Of one that is ``passing`` to a bare model nothing is looked at beside."""

    model: str
    needs: frozenset[str]
    passing: Passing | None = None
    texts: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    redact_mode: str | None = None
    memory_scopes: tuple[str, ...] | None = None
    max_tokens: int | None = None
    conversation_id: str | None = None


# None for a body that cannot be read: it was cut, or what masked it left no request.
Reader = Callable[[KeptInput], Asked | None]
