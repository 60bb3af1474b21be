"""Model routing: names to targets, and fallback between them."""

from __future__ import annotations

from gateway.engine.routing.held import NO_ANSWER, Passing, permitted
from gateway.engine.routing.planning import plan
from gateway.engine.routing.policies import Bound, Shadowed, bound, by_model_alone, shadow
from gateway.engine.routing.types import Leg, Plan
from gateway.engine.routing.walking import walk

__all__ = [
    "NO_ANSWER", "Bound", "Leg", "Passing", "Plan", "Shadowed", "bound", "by_model_alone", "permitted", "plan",
    "shadow", "walk",
]  # fmt: skip
