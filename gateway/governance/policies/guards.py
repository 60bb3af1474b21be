"""What an overlay may say about guardrails, and what holds after the merge."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

PII_KINDS = ("card", "email", "iban", "ip", "national_id", "phone")
SECRETS, INJECTION, LENGTH, BLOCKLIST = "secrets", "injection", "length", "blocklist"
DEFAULT_THRESHOLD = 0.6
REMOVED = "[removed]"  # stands where signs of injection were


class Action(StrEnum):
    """What happens to a text in which a guardrail finds something, from nothing to most."""

    OFF = "off"
    FLAG = "flag"
    MASK = "mask"
    BLOCK = "block"

    @property
    def strictness(self) -> int:
        return list(Action).index(self)


class Direction(StrEnum):
    """``input`` is what the caller sends, ``output`` what the model answers."""

    INPUT = "input"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Guard:
    """One guardrail as one side of an overlay sets it; None says nothing about a direction.

    ``name`` is ``pii.<kind>``, ``secrets``, ``injection``, ``length`` or ``blocklist.<name>``. ``shadow``: it decides
    and records, and changes nothing. ``threshold`` (0 to 1) is the score from which injection counts; the limits, in
    characters and tokens, are those of ``length``; ``phrases`` and ``patterns`` those of a blocklist.
    """

    name: str
    input: Action | None = None
    output: Action | None = None
    shadow: bool = False
    threshold: float = DEFAULT_THRESHOLD
    max_input_chars: int | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    phrases: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The family: ``pii``, ``secrets``, ``injection``, ``length`` or ``blocklist``."""
        return self.name.partition(".")[0]

    @property
    def label(self) -> str:
        """What stands behind the family's name: the kind of personal data, or the blocklist's own name."""
        return self.name.partition(".")[2]

    def on(self, direction: Direction) -> Action | None:
        return self.input if direction is Direction.INPUT else self.output


@dataclass(frozen=True, slots=True)
class GuardRule:
    """One guardrail in force in one direction, and whose it is. Rules are evaluated each for itself; of those that
    find something the strictest action holds."""

    guard: Guard
    direction: Direction
    action: Action
    set_by: str
    locked: bool

    @property
    def name(self) -> str:
        return self.guard.name

    @property
    def shadow(self) -> bool:
        return self.guard.shadow

    def line(self) -> dict[str, Any]:
        """The line of the policy's trace that a refusal is answered with."""
        return {
            "field": f"guardrails.{self.name}.{self.direction.value}",
            "value": self.action.value,
            "set_by": self.set_by,
            "locked_by": self.set_by if self.locked else None,
            "rule": SHADOW_RULE if self.shadow else RULE,
        }


RULE = "every lock and the most specific default apply, the strictest acts"
SHADOW_RULE = "in shadow: recorded, not acted upon"


@dataclass(frozen=True, slots=True)
class Finding:
    """That a rule found something, without the content. ``acted`` is false in shadow and for ``flag``. ``detail`` says
    why in the guardrail's own terms: counts by kind, a score with its signals, a limit and what was measured."""

    guardrail: str
    direction: Direction
    action: Action
    shadow: bool
    set_by: str
    locked_by: str | None
    count: int
    detail: dict[str, Any]
    line: dict[str, Any]

    @property
    def acted(self) -> bool:
        return not self.shadow and self.action in (Action.MASK, Action.BLOCK)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON for a decision record."""
        shown = asdict(self)
        shown.pop("line")
        return {**shown, "direction": self.direction.value, "action": self.action.value, "acted": self.acted}


def found(rule: GuardRule, count: int, **detail: Any) -> Finding:
    """The finding of a rule."""
    return Finding(
        rule.name, rule.direction, rule.action, rule.shadow, rule.set_by, rule.set_by if rule.locked else None, count,
        detail, rule.line(),
    )  # fmt: skip
