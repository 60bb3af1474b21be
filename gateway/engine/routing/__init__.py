"""Model routing: names to targets, and fallback between them."""

from __future__ import annotations

from gateway.engine.routing.planning import plan
from gateway.engine.routing.policies import shadow
from gateway.engine.routing.types import Leg, Plan
from gateway.engine.routing.walking import walk

__all__ = ["Leg", "Plan", "plan", "shadow", "walk"]
