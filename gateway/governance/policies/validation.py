"""What an overlay must be before it is stored."""

from __future__ import annotations

from gateway.core import ids
from gateway.core.errors import FieldProblem, NotFound
from gateway.governance.access import teams
from gateway.governance.policies.errors import InvalidOverlay
from gateway.governance.policies.guardrails import checks, patterns
from gateway.governance.policies.guardrails.budgets import Budget
from gateway.governance.policies.types import Fields, Level

MAX_TARGET = 128


def check_content(precedence: int, locks: Fields, defaults: Fields) -> None:
    """Raise InvalidOverlay naming all that is wrong with what an overlay says. Its patterns are tried, which may take
    seconds: call it outside of a transaction."""
    problems = []
    if not 0 <= precedence <= 100:
        problems.append(FieldProblem("#/precedence", "out_of_range", "must be 0 to 100"))
    sides = (("locks", locks.guardrails), ("defaults", defaults.guardrails))
    count = sum(len(guard.patterns) for _, guards in sides for guard in guards)
    if count > patterns.MAX_PATTERNS:
        side = next(name for name, guards in sides if any(guard.patterns for guard in guards))
        told = f"an overlay has at most {patterns.MAX_PATTERNS} patterns, this one has {count}"
        raise InvalidOverlay([*problems, FieldProblem(f"#/{side}/guardrails/blocklist", "too_many_patterns", told)])
    budget = Budget(patterns.SAVE_S)
    for side, guards in sides:
        problems += checks.problems(guards, f"#/{side}/guardrails", budget)
    if problems:
        raise InvalidOverlay(problems)


def check_target(level: Level, target: str) -> None:
    """Raise InvalidOverlay for a target that its level cannot have. Runs in the writing transaction: a team that is
    found here stays until it ends."""
    if problems := _target(level, target):
        raise InvalidOverlay(problems)


def _target(level: Level, target: str) -> list[FieldProblem]:
    if (level == Level.ORG) != (target == ""):
        return [FieldProblem("#/target", "target", "is for teams, users and sessions, and needed there")]
    if level == Level.TEAM and not teams.held([target]):
        return [FieldProblem("#/target", "unknown_team", f"there is no team {target!r}")]
    if level == Level.USER and not _is_subject(target):
        return [FieldProblem("#/target", "invalid_subject_id", f"must be 1 to {MAX_TARGET} printable characters")]
    if level == Level.SESSION and not _is_conversation(target):
        return [FieldProblem("#/target", "conversation", "must be a conversation's id: conv_…")]
    return []


def _is_subject(text: str) -> bool:
    return 1 <= len(text) <= MAX_TARGET and text.isprintable() and text == text.strip()


def _is_conversation(text: str) -> bool:
    try:
        return ids.public("conv", ids.parse("conv", text)) == text
    except NotFound:
        return False
