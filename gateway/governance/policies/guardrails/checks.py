"""What the guardrails of an overlay must be before they are stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from gateway.core.errors import FieldProblem
from gateway.governance.policies.guardrails import patterns
from gateway.governance.policies.guardrails.budgets import Budget
from gateway.governance.policies.guards import BLOCKLIST, LENGTH, Action, Guard


def problems(guards: Sequence[Guard], pointer: str, budget: Budget) -> list[FieldProblem]:
    """All that is wrong, each with the place of its guardrail; ``budget`` is that of the save."""
    found = [
        FieldProblem(f"{pointer}/{guard.kind}", code, text) for guard in guards for code, text in _of(guard, budget)
    ]
    twice = [name for name, count in Counter(guard.name for guard in guards).items() if count > 1]
    found += [
        FieldProblem(f"{pointer}/{BLOCKLIST}", "repeated", f"{name.partition('.')[2]!r} is there twice")
        for name in twice
    ]
    return found


def _of(guard: Guard, budget: Budget) -> Iterator[tuple[str, str]]:
    if guard.input is None and guard.output is None:
        yield "missing", f"{guard.label or guard.name} needs an action for input or output"
    if guard.kind == BLOCKLIST:
        if not guard.phrases and not guard.patterns:
            yield "missing", f"{guard.label!r} needs phrases or patterns"
        for pattern in guard.patterns:
            if why := patterns.problem(pattern, budget):
                yield "invalid_pattern", f"{guard.label!r}: the pattern {pattern[:80]!r} {why}"
        for phrase in guard.phrases:
            if not any(char.isalnum() for char in phrase):
                yield "invalid_phrase", f"{guard.label!r}: the phrase {phrase[:80]!r} has no letter and no digit"
    if guard.name == LENGTH:
        yield from _length(guard)


def _length(guard: Guard) -> Iterator[tuple[str, str]]:
    if guard.input is Action.MASK:
        yield "invalid", "what is sent cannot be masked for its length; flag or block it"
    if guard.input not in (None, Action.OFF) and guard.max_input_chars is None and guard.max_input_tokens is None:
        yield "missing", "input needs max_input_chars or max_input_tokens"
    if guard.output not in (None, Action.OFF) and guard.max_output_tokens is None:
        yield "missing", "output needs max_output_tokens"
