"""What other code knows of policies: the terms of overlays, what they come to for one request, and what that refuses.
Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from gateway.core.errors import Forbidden
from gateway.governance.policies.guards import Direction, GuardRule
from gateway.governance.policies.terms import (
    Approval,
    Fields,
    Level,
    Mode,
    Overlay,
    RedactMode,
    RequestedPolicy,
    Retention,
    TraceLine,
    Version,
    Writes,
)

__all__ = [
    "ALLOWED", "DENIED", "Approval", "EffectivePolicy", "Fields", "GlobRule", "Level", "Mode", "Overlay",
    "RedactMode", "RequestedPolicy", "Retention", "TraceLine", "Version", "Writes", "refused",
]  # fmt: skip
DENIED, ALLOWED = "deny-lists add up", "every allow-list must match"


@dataclass(frozen=True, slots=True)
class GlobRule:
    """One allow-list of globs, with its owner. What is asked for must match one glob of every rule."""

    globs: tuple[str, ...]
    set_by: str
    locked: bool


@dataclass(frozen=True, slots=True)
class EffectivePolicy:
    """The effective values and why each holds. ``memory_scopes`` None means all, an empty tuple none; no rules in an
    allow-list means everything. A deny-list pairs each glob with its owner. ``persona_do`` and ``persona_dont`` are
    those of ``do`` and ``dont`` that nobody but the persona says."""

    do: tuple[str, ...]
    dont: tuple[str, ...]
    disclaimers: tuple[str, ...]
    redact_mode: RedactMode
    memory_scopes: tuple[str, ...] | None
    allowed_models: tuple[GlobRule, ...]
    denied_models: tuple[tuple[str, str], ...]
    approval: Approval
    auto_types: tuple[str, ...]
    min_confidence: float
    max_output_tokens: int | None
    trace: tuple[TraceLine, ...]
    allowed_tools: tuple[GlobRule, ...] = ()
    denied_tools: tuple[tuple[str, str], ...] = ()
    write_targets: tuple[GlobRule, ...] = ()
    retention: Retention = field(default_factory=Retention)
    guardrails: tuple[GuardRule, ...] = ()
    persona_do: tuple[str, ...] = ()
    persona_dont: tuple[str, ...] = ()

    def model_problem(self, model: str) -> TraceLine | None:
        """The line that forbids a model (``provider/model``), or None when it may be used. Globs ignore case."""
        return _problem("models", model, self.denied_models, self.allowed_models)

    def check_model(self, *models: str) -> None:
        """Raise Forbidden ``policy_refused``, with the line that forbids it as ``extra["policy"]``, unless the model
        may be used; of several for the first, unless any may."""
        if line := self.model_problem(model := self.model_of(models)):
            raise refused(line, f"does not allow model {model!r}")

    def model_of(self, models: Sequence[str]) -> str:
        """The first of these that may be used; the first of all where none may."""
        return next((model for model in models if self.model_problem(model) is None), models[0])

    def tool_problem(self, tool: str) -> TraceLine | None:
        """The line that forbids a tool by its name, or None when it may be used. Globs ignore case."""
        return _problem("tools", tool, self.denied_tools, self.allowed_tools)

    def check_tool(self, tool: str) -> None:
        """As ``check_model``, for a tool."""
        if line := self.tool_problem(tool):
            raise refused(line, f"does not allow the tool {tool!r}")

    def write_problem(self, write_type: str, target: str = "") -> TraceLine | None:
        """The line that forbids a proposed write of this type to this target (an address, a calendar; empty where the
        type has none), or None."""
        for rule in self.write_targets:
            if not any(_covers(glob, write_type, target) for glob in rule.globs):
                return _line("write_targets", rule)
        return None

    def check_write(self, write_type: str, target: str = "") -> None:
        """As ``check_model``, for a proposed write."""
        if line := self.write_problem(write_type, target):
            where = f" to {target!r}" if target else ""
            raise refused(line, f"does not allow writes of type {write_type!r}{where}")

    def auto_approves(self, write_type: str, confidence: float) -> bool:
        """Whether a proposed write goes ahead without a person."""
        allowed = any(fnmatchcase(write_type, glob) for glob in self.auto_types)
        return self.approval == Approval.AUTO and allowed and confidence >= self.min_confidence

    def guards(self, direction: Direction) -> tuple[GuardRule, ...]:
        """The guardrails in force in one direction, those in shadow too."""
        return tuple(rule for rule in self.guardrails if rule.direction is direction)

    def enforced(self) -> tuple[TraceLine, ...]:
        """The lines that a lock of an overlay decided or holds fast: what binds this request whatever it asks for."""
        return tuple(line for line in self.trace if line.locked_by not in (None, "key"))

    def trace_json(self) -> list[dict[str, Any]]:
        """The trace as plain JSON."""
        return [asdict(line) for line in self.trace]


def refused(line: TraceLine, why: str) -> Forbidden:
    """The refusal by one line of a policy."""
    return Forbidden(f"The policy of {line.set_by} {why}.", code="policy_refused", extra={"policy": asdict(line)})


def _problem(what: str, name: str, denied: Sequence[tuple[str, str]], allowed: Sequence[GlobRule]) -> TraceLine | None:
    asked = name.casefold()
    for glob, owner in denied:
        if fnmatchcase(asked, glob.casefold()):
            return TraceLine(f"denied_{what}", glob, owner, owner, DENIED)
    for rule in allowed:
        if not any(fnmatchcase(asked, glob.casefold()) for glob in rule.globs):
            return _line(f"allowed_{what}", rule)
    return None


def _line(field: str, rule: GlobRule) -> TraceLine:
    return TraceLine(field, list(rule.globs), rule.set_by, rule.set_by if rule.locked else None, ALLOWED)


def _covers(glob: str, write_type: str, target: str) -> bool:
    kind, narrowed, where = glob.partition(":")
    return fnmatchcase(write_type, kind) and (not narrowed or fnmatchcase(target, where))
