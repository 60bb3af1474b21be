"""The port through which every write leaves its trail: one audit entry and its events, in the write's own transaction.

Slices below audit and events (and tenants, which knows neither) call ``record``; the two slices fill the port when
Django starts. Unfilled, it raises: a change without a trail must not happen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: ``kind`` is key, token, user, operator or system; ``id`` is its public id (``key_…``, ``usr_…``) or a
    name."""

    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"

    @classmethod
    def of(cls, text: str) -> Actor:
        """The actor whose ``str`` this is."""
        kind, _, name = text.partition(":")
        return cls(kind, name)


SYSTEM = Actor("system", "gateway")
OPERATOR = Actor("operator", "cli")


@dataclass(frozen=True, slots=True)
class Change:
    """One audited change. ``action`` is ``noun.verb`` (``persona.published``); ``target`` a public id. ``detail``
    holds plain ids and values that may be kept forever; never content of a memory, a message or a secret."""

    action: str
    actor: Actor
    target: str
    subject_id: str | None = None
    persona_id: str | None = None
    request_id: UUID | None = None
    provenance: dict[str, Any] | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """One event for subscribers: ``name`` and integer ``version`` fix the payload's shape."""

    name: str
    payload: dict[str, Any]
    version: int = 1
    subject_id: str | None = None
    persona_id: str | None = None


Writer = Callable[[Change, Sequence[Event]], None]
_writer: Writer | None = None


def fill(writer: Writer) -> None:
    """Install the implementation; called once, by ``gateway.platform.audit`` when its app is ready."""
    global _writer
    _writer = writer


def record(change: Change, *events: Event) -> None:
    """Write the audit entry and the outbox events. Must run inside the change's transaction and tenant scope."""
    if _writer is None:
        raise RuntimeError("The journal has no writer: gateway.platform.audit must be installed.")
    _writer(change, events)
