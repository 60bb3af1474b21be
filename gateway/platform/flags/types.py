"""The values of the flags slice: a flag, and what it is for one organization right now."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a flag has its value. ``clamped``: a stored number lies outside the range and was brought to its edge."""

    ORGANIZATION = "organization"
    PLAN = "plan"
    DEFAULT = "default"
    KILLED = "killed"
    CLAMPED = "clamped"


class Setter(StrEnum):
    """Whose value stands behind ``organization``: the operator's override, or what the organization chose itself."""

    OPERATOR = "operator"
    ORGANIZATION = "organization"


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag. ``default`` is the code's; ``least``/``most`` clamp a number, in ``unit``; ``purpose`` is shown to
    people. ``operator_only`` flags are not an organization's to choose; ``off`` is the value while it is killed, None
    for one that cannot be."""

    key: str
    default: bool | int
    purpose: str
    least: int = 0
    most: int = 100_000_000
    unit: str = ""
    operator_only: bool = False
    off: bool | int | None = False

    @property
    def is_number(self) -> bool:
        return not isinstance(self.default, bool)


@dataclass(frozen=True, slots=True)
class Resolution:
    """A flag's value for one organization, why, and who set it (None: nobody, or the operator for everybody)."""

    value: bool | int
    reason: Reason
    setter: Setter | None = None
