"""Overlays and what they come to."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any
from uuid import UUID

from gateway.core import ids
from gateway.core.errors import Forbidden


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
class Fields:
    """The values one side of an overlay sets; None means that it says nothing about a field."""

    do: tuple[str, ...] = ()
    dont: tuple[str, ...] = ()
    disclaimers: tuple[str, ...] = ()
    redact_mode: RedactMode | None = None
    memory_scopes: tuple[str, ...] | None = None
    allowed_models: tuple[str, ...] | None = None
    denied_models: tuple[str, ...] = ()
    writes: Writes = field(default_factory=Writes)
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Overlay:
    """One level's locks and defaults. ``version`` is 0 and ``updated_at`` None for one that was never written."""

    level: Level
    target: str
    locks: Fields
    defaults: Fields
    precedence: int = 50
    version: int = 0
    updated_at: datetime | None = None
    updated_by: str = ""
    id: UUID | None = None

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
class ModelRule:
    """One allow-list of model globs, with its owner. A model must match one glob of every rule."""

    globs: tuple[str, ...]
    set_by: str
    locked: bool


@dataclass(frozen=True, slots=True)
class EffectivePolicy:
    """The effective values and why each holds. ``memory_scopes`` None means all, an empty tuple none."""

    do: tuple[str, ...]
    dont: tuple[str, ...]
    disclaimers: tuple[str, ...]
    redact_mode: RedactMode
    memory_scopes: tuple[str, ...] | None
    allowed_models: tuple[ModelRule, ...]
    denied_models: tuple[tuple[str, str], ...]
    approval: Approval
    auto_types: tuple[str, ...]
    min_confidence: float
    max_output_tokens: int | None
    trace: tuple[TraceLine, ...]

    def model_problem(self, model: str) -> TraceLine | None:
        """The line that forbids a model (``provider/model``), or None when it may be used. Globs ignore case."""
        name = model.casefold()
        for glob, owner in self.denied_models:
            if fnmatchcase(name, glob.casefold()):
                return TraceLine("denied_models", glob, owner, owner, "deny-lists add up")
        for rule in self.allowed_models:
            if not any(fnmatchcase(name, glob.casefold()) for glob in rule.globs):
                locked_by = rule.set_by if rule.locked else None
                return TraceLine(
                    "allowed_models", list(rule.globs), rule.set_by, locked_by, "every allow-list must match"
                )
        return None

    def check_model(self, model: str) -> None:
        """Raise Forbidden ``policy_refused``, with the line that forbids it as ``extra["policy"]``, unless the model
        may be used."""
        if line := self.model_problem(model):
            detail = f"The policy of {line.set_by} does not allow model {model!r}."
            raise Forbidden(detail, code="policy_refused", extra={"policy": asdict(line)})

    def auto_approves(self, write_type: str, confidence: float) -> bool:
        """Whether a proposed write goes ahead without a person."""
        allowed = any(fnmatchcase(write_type, glob) for glob in self.auto_types)
        return self.approval == Approval.AUTO and allowed and confidence >= self.min_confidence

    def trace_json(self) -> list[dict[str, Any]]:
        """The trace as plain JSON."""
        return [asdict(line) for line in self.trace]
