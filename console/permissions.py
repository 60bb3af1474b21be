"""What the person may do here, as ``GET /v1/me/permissions`` says. The gateway decides; pages only mirror it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class May:
    """Yes or no, and whom to ask when no."""

    allowed: bool
    why: str = ""

    def __bool__(self) -> bool:
        return self.allowed


@dataclass(frozen=True, slots=True)
class Permissions:
    """``actions`` by name; one that the gateway does not name is not allowed."""

    role: str = ""
    actions: Mapping[str, bool] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)

    def may(self, action: str) -> May:
        if self.actions.get(action, False):
            return May(True)
        return May(False, self.reasons.get(action, "Your role does not include this."))


def from_answer(data: Mapping[str, Any]) -> Permissions:
    return Permissions(str(data.get("role") or ""), data.get("actions") or {}, data.get("why") or {})
