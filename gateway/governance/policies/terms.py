"""Overlays, what a request asks for, and the lines that say why a value holds. What they
come to is in ``types``."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from gateway.core import ids
from gateway.governance.policies.guards import Guard


class Level(StrEnum):
    """Whose overlay it is, by falling authority and rising specificity."""

    ORG = "org"
    TEAM = "team"
    USER = "user"
    SESSION = "session"

    @property
    def rank(self) -> int:
        """0 has the most authority."""
        return list(Level).index(self)


class Mode(StrEnum):
    """Whether an overlay binds, or only shows what it would change."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


class RedactMode(StrEnum):
    """What is masked, from nothing to most; see ``redaction``."""

    OFF = "off"
    DEFAULT = "default"
    STRICT = "strict"


class Approval(StrEnum):
    """Whether a proposed write waits for a person."""

    AUTO = "auto"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Writes:
    """A write of a type in ``auto_types`` with at least ``min_confidence`` needs no person when ``approval`` is
    auto."""

    approval: Approval | None = None
    auto_types: tuple[str, ...] | None = None
    min_confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days conversations and stored request bodies are kept at most; 0 keeps none."""

    conversation_days: int | None = None
    body_days: int | None = None


@dataclass(frozen=True, slots=True)
class Fields:
    """The values one side of an overlay sets; None means that it says nothing about a field.

    Models, tools and write targets are globs. A write target is a proposal's type, with ``:`` and its target where
    that matters: ``memory.*``, ``calendar.create:https://calendar.example/*``.
    """

    do: tuple[str, ...] = ()
    dont: tuple[str, ...] = ()
    disclaimers: tuple[str, ...] = ()
    redact_mode: RedactMode | None = None
    memory_scopes: tuple[str, ...] | None = None
    allowed_models: tuple[str, ...] | None = None
    denied_models: tuple[str, ...] = ()
    writes: Writes = field(default_factory=Writes)
    max_output_tokens: int | None = None
    allowed_tools: tuple[str, ...] | None = None
    denied_tools: tuple[str, ...] = ()
    write_targets: tuple[str, ...] | None = None
    retention: Retention = field(default_factory=Retention)
    guardrails: tuple[Guard, ...] = ()


@dataclass(frozen=True, slots=True)
class Overlay:
    """One level's locks and defaults. ``version`` is 0 and ``updated_at`` None for one that was never written.
    ``target`` is empty for the organization, else a team's id, a subject's id or a conversation's. One in shadow stands
    beside the one in force of the same level and target, and binds nothing."""

    level: Level
    target: str
    locks: Fields
    defaults: Fields
    precedence: int = 50
    version: int = 0
    updated_at: datetime | None = None
    updated_by: str = ""
    id: UUID | None = None
    mode: Mode = Mode.ENFORCE

    @property
    def name(self) -> str:
        """How a trace names it: ``org``, ``team:sales``."""
        return f"{self.level.value}:{self.target}" if self.target else self.level.value

    @property
    def public_id(self) -> str | None:
        return ids.public("pol", self.id) if self.id else None


@dataclass(frozen=True, slots=True)
class RequestedPolicy:
    """What one request asks for. The key's memory scopes bind like a lock; the rest is a wish that locks may
    tighten."""

    redact_mode: RedactMode | str | None = None
    memory_scopes: tuple[str, ...] | None = None
    key_memory_scopes: tuple[str, ...] | None = None
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class TraceLine:
    """Why a field has its value: who set it, who locked it (None: nobody), which rule of the merge decided."""

    field: str
    value: Any
    set_by: str
    locked_by: str | None
    rule: str


@dataclass(frozen=True, slots=True)
class Version:
    """What an overlay was in one of its versions; ``deleted`` says that this version took it away."""

    id: UUID
    overlay: Overlay
    changed: tuple[str, ...]
    deleted: bool
