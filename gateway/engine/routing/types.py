"""A plan: which targets a call may go to, in which order, and why the others are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.governance.policies.types import EffectivePolicy
from gateway.platform.providers.attempts import Attempt
from gateway.platform.providers.entries import Route


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A target that is not asked, or asked last, with the reason's code."""

    model: str
    reason: str

    def wire(self) -> dict[str, str]:
        return {"model": self.model, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Plan:
    """The targets of one call in the order in which to try them; there is at least one.

    ``asked`` is the name in the request. ``cache_s`` and ``timeouts`` are the alias's. ``allowed`` are all targets that
    the caller may have, whatever their order or health at this moment: what a cached answer may come from. ``why`` says
    how a tier or ``auto`` came to its targets.
    """

    asked: str
    routes: tuple[Route, ...]
    allowed: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()
    strategy: str | None = None
    cache_s: int | None = None
    timeouts: Mapping[str, float] = field(default_factory=dict)
    why: str | None = None

    @classmethod
    def of(cls, route: Route) -> Plan:
        """The plan that is one target."""
        return cls(route.alias or route.name, (route,), (route.name,))

    @property
    def first(self) -> Route:
        return self.routes[0]

    @property
    def names(self) -> tuple[str, ...]:
        """The targets' full names, in order."""
        return tuple(route.name for route in self.routes)

    def permitted(self, policy: EffectivePolicy) -> Plan:
        """The plan less the targets that a policy which knows more of the call does not allow. Raises Forbidden for the
        first where none is left."""
        policy.check_model(*self.names)
        kept = tuple(route for route in self.routes if policy.model_problem(route.name) is None)
        if len(kept) == len(self.routes):
            return self
        left = tuple(LeftOut(name, "policy_refused") for name in self.names if policy.model_problem(name) is not None)
        allowed = tuple(name for name in self.allowed if policy.model_problem(name) is None)
        return replace(self, routes=kept, allowed=allowed, left_out=(*self.left_out, *left))

    def facts(self) -> dict[str, Any]:
        """What the decision record says of the choice; nothing where there was none."""
        shown: dict[str, Any] = {}
        if len(self.routes) > 1:
            shown["targets"] = [route.name for route in self.routes]
        if self.strategy is not None:
            shown["strategy"] = self.strategy
        if self.left_out:
            shown["left_out"] = [one.wire() for one in self.left_out]
        if self.why is not None:
            shown["why"] = self.why
        return shown


@dataclass(frozen=True, slots=True)
class Leg:
    """What was tried at one target."""

    route: Route
    attempts: list[Attempt] = field(default_factory=list)
