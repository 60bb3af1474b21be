"""Rule g of the merge: which guardrails are in force, each with its owner. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.governance.policies.guards import BLOCKLIST, Action, Direction, Guard, GuardRule
from gateway.governance.policies.said import Said, specific_default
from gateway.governance.policies.terms import Fields, Overlay, TraceLine


def merge_guards(ordered: Sequence[Overlay], trace: list[TraceLine]) -> tuple[GuardRule, ...]:
    """Every lock and the most specific default of each guardrail and direction; of blocklists every default. Those
    that are off are traced and left out."""
    rules: dict[tuple[Guard, Direction, bool], GuardRule] = {}
    for direction in Direction:
        for locked, said in _said(ordered, direction):
            action = said.value.on(direction) or Action.OFF
            rule = GuardRule(said.value, direction, action, said.by, locked)
            rules.setdefault((said.value, direction, locked), rule)
    trace.extend(TraceLine(**rule.line()) for rule in rules.values())
    return tuple(rule for rule in rules.values() if rule.action is not Action.OFF)


def _said(ordered: Sequence[Overlay], direction: Direction) -> list[tuple[bool, Said[Guard]]]:
    found = [
        (True, Said(guard, overlay.name))
        for overlay in ordered
        for guard in overlay.locks.guardrails
        if guard.on(direction) is not None
    ]
    others = {
        (guard.name, guard.shadow)
        for overlay in ordered
        for guard in overlay.defaults.guardrails
        if guard.on(direction) is not None and guard.kind != BLOCKLIST
    }
    for name, shadow in sorted(others):
        default = specific_default(ordered, lambda fields, n=name, s=shadow: _pick(fields, n, s, direction))  # type: ignore[misc]
        if default is not None:
            found.append((False, default))
    found += [
        (False, Said(guard, overlay.name))
        for overlay in ordered
        for guard in overlay.defaults.guardrails
        if guard.on(direction) is not None and guard.kind == BLOCKLIST
    ]
    return found


def _pick(fields: Fields, name: str, shadow: bool, direction: Direction) -> Guard | None:
    """What one side says of a guardrail in one direction; a guard is there once per side."""
    for guard in fields.guardrails:
        if guard.name == name and guard.shadow == shadow and guard.on(direction) is not None:
            return guard
    return None
