"""Guardrails as an overlay stores and shows them. Pure.

{"pii": {"email": {"input": "mask", "output": "block"}},
 "secrets": {"input": "block"},
 "injection": {"input": "flag", "threshold": 0.7, "shadow": true},
 "blocklist": [{"name": "rivals", "phrases": ["acme"], "patterns": [], "output": "mask"}],
 "length": {"input": "block", "max_input_chars": 20000}}
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.governance.policies.guards import BLOCKLIST, DEFAULT_THRESHOLD, Action, Guard

_LIMITS = ("max_input_chars", "max_input_tokens", "max_output_tokens")


def to_json(guards: Iterable[Guard]) -> dict[str, Any]:
    """Plain JSON without what was left unsaid."""
    shown: dict[str, Any] = {}
    for guard in guards:
        one: dict[str, Any] = {
            name: action.value
            for name, action in (("input", guard.input), ("output", guard.output))
            if action is not None
        }
        if guard.shadow:
            one["shadow"] = True
        if guard.threshold != DEFAULT_THRESHOLD:
            one["threshold"] = guard.threshold
        one |= {name: getattr(guard, name) for name in _LIMITS if getattr(guard, name) is not None}
        if guard.kind == "pii":
            shown.setdefault("pii", {})[guard.label] = one
        elif guard.kind == BLOCKLIST:
            lists = {name: list(getattr(guard, name)) for name in ("phrases", "patterns") if getattr(guard, name)}
            shown.setdefault(BLOCKLIST, []).append({"name": guard.label, **one, **lists})
        else:
            shown[guard.name] = one
    return shown


def from_json(values: dict[str, Any] | None) -> tuple[Guard, ...]:
    """The guardrails of a stored or checked document, sorted by name."""
    guards = []
    for name, said in (values or {}).items():
        if name == "pii":
            guards += [_guard(f"pii.{kind}", one) for kind, one in said.items()]
        elif name == BLOCKLIST:
            guards += [_guard(f"{BLOCKLIST}.{one['name']}", one) for one in said]
        else:
            guards.append(_guard(name, said))
    return tuple(sorted(guards, key=lambda guard: guard.name))


def _guard(name: str, said: dict[str, Any]) -> Guard:
    def action(direction: str) -> Action | None:
        return Action(said[direction]) if said.get(direction) else None

    return Guard(
        name,
        action("input"),
        action("output"),
        shadow=bool(said.get("shadow", False)),
        threshold=float(said.get("threshold") or DEFAULT_THRESHOLD),
        **{limit: said.get(limit) for limit in _LIMITS},
        phrases=tuple(said.get("phrases") or ()),
        patterns=tuple(said.get("patterns") or ()),
    )
