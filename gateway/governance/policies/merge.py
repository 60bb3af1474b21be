"""Many overlays, a persona and a request into one policy. Pure, and independent of the order in which overlays are
given (ADR-0042).

Authority falls from organization over team and user to session; specificity rises the same way. Inside a level the
higher precedence wins, then the target's name. The persona stands beneath every overlay, the request above every
default and below every lock.

a. Start from what is built in, then the persona.
b. Defaults: the most specific that speaks wins; the request, being more specific still, wins over them.
c. Locks bind whatever stands below and the request. Where several lock one field, the stricter value holds (d–f), so
   none is loosened.
d. ``do``, ``dont``, ``disclaimers``: union without repetition. ``dont`` beats ``do``, unless the ``do`` is locked
   and the ``dont`` comes with less authority (or the same, unlocked): a lock is not argued away from below.
e. ``redact_mode``: strict > default > off. ``approval``: manual > auto. ``min_confidence``: the higher.
   ``max_output_tokens`` and the days of ``retention``: the lower.
f. Allow-lists of names (``memory_scopes``) and of types (``auto_types``) intersect over all locks and the value; a
   model, a tool, a write's target must match every locked list and the most specific default. Deny-lists add up,
   locks and defaults alike.
g. Guardrails are not mixed: every lock of one and its most specific default stand side by side, each with its own
   numbers, and the strictest of those that find something acts. Blocklists add up. What is in shadow never competes
   with what is not.
h. An overlay in shadow takes no part (``shadows`` has what would be).
i. Every field leaves a line in the trace: value, who set it, who locked it, which rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gateway.governance.policies.guardrules import merge_guards
from gateway.governance.policies.lists import denied, globs, intersection
from gateway.governance.policies.rules import merge_lists
from gateway.governance.policies.said import BUILT_IN, REQUEST, Said, T, locks_of, source_rule, specific_default
from gateway.governance.policies.terms import (
    Approval,
    Fields,
    Mode,
    Overlay,
    RedactMode,
    RequestedPolicy,
    Retention,
    TraceLine,
)
from gateway.governance.policies.types import EffectivePolicy


def merge(
    overlays: Sequence[Overlay],
    *,
    persona_do: Sequence[str] = (),
    persona_dont: Sequence[str] = (),
    request: RequestedPolicy | None = None,
) -> EffectivePolicy:
    """The effective policy; the algorithm is the module's docstring. An overlay that is given twice counts once."""
    request = request or RequestedPolicy()
    binding = dict.fromkeys(overlay for overlay in overlays if overlay.mode is Mode.ENFORCE)
    ordered = sorted(binding, key=lambda overlay: (overlay.level.rank, -overlay.precedence, overlay.target))
    trace: list[TraceLine] = []
    lists = merge_lists(ordered, persona_do, persona_dont, trace)
    redact_mode = _strictest(
        "redact_mode", ordered, lambda fields: fields.redact_mode, list(RedactMode).index, trace,
        built_in=RedactMode.DEFAULT, wish=RedactMode(request.redact_mode) if request.redact_mode else None,
    )  # fmt: skip
    approval = _strictest(
        "writes.approval", ordered, lambda fields: fields.writes.approval, list(Approval).index, trace,
        built_in=Approval.MANUAL,
    )  # fmt: skip
    min_confidence = _strictest(
        "writes.min_confidence", ordered, lambda fields: fields.writes.min_confidence, float, trace, built_in=0.0
    )
    most_tokens = _strictest(
        "max_output_tokens", ordered, lambda fields: fields.max_output_tokens, _less, trace,
        built_in=None, wish=request.max_output_tokens,
    )  # fmt: skip
    conversation_days = _strictest(
        "retention.conversation_days", ordered, lambda fields: fields.retention.conversation_days, _less, trace,
        built_in=None,
    )  # fmt: skip
    body_days = _strictest(
        "retention.body_days", ordered, lambda fields: fields.retention.body_days, _less, trace, built_in=None
    )
    scopes = intersection(
        "memory_scopes", ordered, lambda fields: _folded(fields.memory_scopes), trace, built_in=None,
        wish=_folded(request.memory_scopes), key=_folded(request.key_memory_scopes),
    )  # fmt: skip
    auto_types = intersection(
        "writes.auto_types", ordered, lambda fields: fields.writes.auto_types, trace, built_in=(), are_globs=True
    )
    return EffectivePolicy(
        do=lists.do, dont=lists.dont, disclaimers=lists.disclaimers, redact_mode=redact_mode, memory_scopes=scopes,
        allowed_models=globs("allowed_models", ordered, lambda fields: fields.allowed_models, trace),
        denied_models=denied("denied_models", ordered, lambda fields: fields.denied_models, trace),
        approval=approval, auto_types=auto_types or (), min_confidence=min_confidence, max_output_tokens=most_tokens,
        allowed_tools=globs("allowed_tools", ordered, lambda fields: fields.allowed_tools, trace),
        denied_tools=denied("denied_tools", ordered, lambda fields: fields.denied_tools, trace),
        write_targets=globs("write_targets", ordered, lambda fields: fields.write_targets, trace),
        retention=Retention(conversation_days, body_days), guardrails=merge_guards(ordered, trace), trace=tuple(trace),
        persona_do=lists.persona_do, persona_dont=lists.persona_dont,
    )  # fmt: skip


def _folded(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Memory scopes as memories have them: upper and lower case are the same."""
    return None if names is None else tuple(dict.fromkeys(name.casefold() for name in names))


def _less(value: int | None) -> float:
    """The lower the stricter; nothing said is no limit."""
    return -value if value is not None else float("-inf")


def _strictest(
    name: str,
    ordered: Sequence[Overlay],
    pick: Callable[[Fields], T | None],
    strictness: Callable[[T], float],
    trace: list[TraceLine],
    *,
    built_in: T,
    wish: Any = None,
) -> T:
    """Rules b, c and e for a field with an order of strictness."""
    chosen: Said[T] = (
        Said(wish, REQUEST) if wish is not None else specific_default(ordered, pick) or Said(built_in, BUILT_IN)
    )
    rule, locked_by = source_rule(chosen.by), None
    for lock in locks_of(ordered, pick):
        if strictness(lock.value) > strictness(chosen.value):
            chosen, rule, locked_by = lock, "the stricter lock", lock.by
        else:
            locked_by = locked_by or lock.by
    trace.append(TraceLine(name, chosen.value, chosen.by, locked_by, rule))
    return chosen.value
