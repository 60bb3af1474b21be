"""What locks say of a call whose bytes pass as they are (ADR-0051). Nothing in it is masked, looked through or cut, so
a lock that asks for that refuses the call; what the request alone can prove is asked of each. Defaults suggest to a
persona's turn and say nothing here. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateway.governance.policies.guards import Action, Direction
from gateway.governance.policies.merge import merge
from gateway.governance.policies.terms import Fields, Overlay, RedactMode, RequestedPolicy, TraceLine
from gateway.governance.policies.types import EffectivePolicy

_ACTING = (Action.MASK, Action.BLOCK)
_NO_WISH = RequestedPolicy(redact_mode=RedactMode.OFF)


def locks(overlays: Sequence[Overlay]) -> EffectivePolicy | None:
    """The locks alone of the overlays in force; None where they say nothing of such a call."""
    found = merge([replace(overlay, defaults=Fields()) for overlay in overlays], request=_NO_WISH)
    acting = any(rule.action in _ACTING and not rule.shadow for rule in found.guardrails)
    says = acting or found.redact_mode is not RedactMode.OFF or found.max_output_tokens is not None
    return found if says or found.allowed_tools or found.denied_tools else None


def unkept(locks: EffectivePolicy, *, answers: bool) -> TraceLine | None:
    """The lock that no such call can keep, whatever it asks for. Of one that answers with no text (not ``answers``),
    only what goes to the model is bound."""
    if locks.redact_mode is not RedactMode.OFF:
        return _line(locks, "redact_mode")
    for rule in locks.guardrails:
        if rule.action in _ACTING and not rule.shadow and (answers or rule.direction is Direction.INPUT):
            return TraceLine(**rule.line())
    return None


def too_long(locks: EffectivePolicy, max_tokens: int | None) -> TraceLine | None:
    """The lock that an answer of so many tokens would break; None asks for no end."""
    most = locks.max_output_tokens
    if most is None or (max_tokens is not None and max_tokens <= most):
        return None
    return _line(locks, "max_output_tokens")


def _line(locks: EffectivePolicy, field: str) -> TraceLine:
    return next(line for line in locks.trace if line.field == field)
