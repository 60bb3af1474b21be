"""Many overlays, a persona and a request into one policy. Pure, and independent of the order in which overlays are
given.

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
   ``max_output_tokens``: the lower.
f. Allow-lists (``memory_scopes``, ``auto_types``) intersect over all locks and the value; a model must match every
   locked list and the most specific default. Deny-lists add up, locks and defaults alike.
g. Every field leaves a line in the trace: value, who set it, who locked it, which rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.governance.policies.rules import merge_lists
from gateway.governance.policies.types import (
    Approval,
    EffectivePolicy,
    Fields,
    ModelRule,
    Overlay,
    RedactMode,
    RequestedPolicy,
    TraceLine,
)

T = TypeVar("T")
BUILT_IN = "built-in"
REQUEST = "request"
KEY = "key"


@dataclass(frozen=True, slots=True)
class _Said(Generic[T]):
    """A value and whose it is."""

    value: T
    by: str


def merge(
    overlays: Sequence[Overlay],
    *,
    persona_do: Sequence[str] = (),
    persona_dont: Sequence[str] = (),
    request: RequestedPolicy | None = None,
) -> EffectivePolicy:
    """The effective policy; the algorithm is the module's docstring."""
    request = request or RequestedPolicy()
    ordered = sorted(overlays, key=lambda overlay: (overlay.level.rank, -overlay.precedence, overlay.target))
    trace: list[TraceLine] = []
    do, dont, disclaimers = merge_lists(ordered, persona_do, persona_dont, trace)
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
        "max_output_tokens", ordered, lambda fields: fields.max_output_tokens,
        lambda value: -value if value is not None else float("-inf"), trace,
        built_in=None, wish=request.max_output_tokens,
    )  # fmt: skip
    scopes = _intersection(
        "memory_scopes", ordered, lambda fields: fields.memory_scopes, trace, built_in=None,
        wish=request.memory_scopes, key=request.key_memory_scopes,
    )  # fmt: skip
    auto_types = _intersection(
        "writes.auto_types", ordered, lambda fields: fields.writes.auto_types, trace, built_in=()
    )
    return EffectivePolicy(
        do=do, dont=dont, disclaimers=disclaimers, redact_mode=redact_mode, memory_scopes=scopes,
        allowed_models=_models(ordered, trace), denied_models=_denied(ordered, trace), approval=approval,
        auto_types=auto_types or (), min_confidence=min_confidence, max_output_tokens=most_tokens, trace=tuple(trace),
    )  # fmt: skip


def _default(ordered: Sequence[Overlay], pick: Callable[[Fields], T | None]) -> _Said[T] | None:
    """The most specific default that speaks: the last level's, and in it the highest precedence (rule b)."""
    best: tuple[int, _Said[T]] | None = None
    for overlay in ordered:
        value = pick(overlay.defaults)
        if value is not None and (best is None or overlay.level.rank > best[0]):
            best = (overlay.level.rank, _Said(value, overlay.name))
    return best[1] if best else None


def _locks(ordered: Sequence[Overlay], pick: Callable[[Fields], T | None]) -> list[_Said[T]]:
    """Every lock of a field, the most authoritative first."""
    said = [(pick(overlay.locks), overlay.name) for overlay in ordered]
    return [_Said(value, name) for value, name in said if value is not None]


def _strictest(
    name: str,
    ordered: Sequence[Overlay],
    pick: Callable[[Fields], T | None],
    strictness: Callable[[T], float],
    trace: list[TraceLine],
    *,
    built_in: T,
    wish: T | None = None,
) -> T:
    """Rules b, c and e for a field with an order of strictness."""
    chosen = _Said(wish, REQUEST) if wish is not None else _default(ordered, pick) or _Said(built_in, BUILT_IN)
    rule, locked_by = _source_rule(chosen.by), None
    for lock in _locks(ordered, pick):
        if strictness(lock.value) > strictness(chosen.value):
            chosen, rule, locked_by = lock, "the stricter lock", lock.by
        else:
            locked_by = locked_by or lock.by
    trace.append(TraceLine(name, chosen.value, chosen.by, locked_by, rule))
    return chosen.value


def _intersection(
    name: str,
    ordered: Sequence[Overlay],
    pick: Callable[[Fields], tuple[str, ...] | None],
    trace: list[TraceLine],
    *,
    built_in: tuple[str, ...] | None,
    wish: tuple[str, ...] | None = None,
    key: tuple[str, ...] | None = None,
) -> tuple[str, ...] | None:
    """Rules b, c and f for an allow-list; None is "everything"."""
    default = _default(ordered, pick)
    chosen: _Said[tuple[str, ...] | None] = _Said(built_in, BUILT_IN)
    if wish is not None:
        chosen = _Said(wish, REQUEST)
    elif default is not None:
        chosen = _Said(default.value, default.by)
    locks = _locks(ordered, pick) + ([_Said(key, KEY)] if key is not None else [])
    value, narrowed_by = chosen.value, []
    if chosen.by == BUILT_IN and built_in == () and locks:
        value = None  # nothing set and something locked: the locks say what is allowed
    for lock in locks:
        kept = lock.value if value is None else tuple(entry for entry in value if entry in lock.value)
        if kept != value:
            narrowed_by.append(lock.by)
        value = kept
    value = tuple(dict.fromkeys(value)) if value is not None else None
    rule = "allow-lists intersect" if narrowed_by else _source_rule(chosen.by)
    shown = None if value is None else list(value)
    locked_by = ", ".join(narrowed_by) or (locks[0].by if locks else None)
    trace.append(TraceLine(name, shown, chosen.by, locked_by, rule))
    return value


def _source_rule(by: str) -> str:
    return {BUILT_IN: "nobody set it", REQUEST: "the request's wish"}.get(by, "the most specific default")


def _models(ordered: Sequence[Overlay], trace: list[TraceLine]) -> tuple[ModelRule, ...]:
    default = _default(ordered, lambda fields: fields.allowed_models)
    rules = [
        ModelRule(lock.value, lock.by, locked=True) for lock in _locks(ordered, lambda fields: fields.allowed_models)
    ]
    if default is not None:
        rules.append(ModelRule(default.value, default.by, locked=False))
    for rule in rules:
        locked_by = rule.set_by if rule.locked else None
        trace.append(
            TraceLine("allowed_models", list(rule.globs), rule.set_by, locked_by, "every allow-list must match")
        )
    return tuple(rules)


def _denied(ordered: Sequence[Overlay], trace: list[TraceLine]) -> tuple[tuple[str, str], ...]:
    denied: dict[str, str] = {}
    for overlay in ordered:
        for glob in (*overlay.locks.denied_models, *overlay.defaults.denied_models):
            denied.setdefault(glob, overlay.name)
    trace.extend(TraceLine("denied_models", glob, by, by, "deny-lists add up") for glob, by in denied.items())
    return tuple(denied.items())
