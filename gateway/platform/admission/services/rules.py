"""The limits that an organization sets for itself, its keys, its people and its subjects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from gateway.core import clock, ids
from gateway.core.errors import BadRequest, FieldProblem, NotFound
from gateway.core.journal import Actor
from tenants import services as tenants
from tenants.rules import Kind, LimitRule
from tenants.types import OrgRef

MAX_RULES = 50
# A month of 31 days: longer than that it is no raise but another limit.
LONGEST_RAISE = timedelta(days=31)
_LONGEST_WINDOW_S = 31 * 86_400
_LARGEST = {Kind.REQUESTS: 10_000_000, Kind.TOKENS: 10_000_000_000, Kind.CONCURRENCY: 100_000, Kind.BUDGET: 2**53 - 1}


def create(
    ref: OrgRef, *, actor: Actor, request_id: UUID | None, level: str, kind: str, limit: int, window: int | str | None,
    hard: bool, shadow: bool,
) -> LimitRule:  # fmt: skip
    """A new rule. Raises BadRequest (422 ``invalid_request``, or ``too_many_limits``)."""
    rule = LimitRule(ids.public("lim", ids.uuid7()), level, kind, limit, _window(kind, window), hard, shadow)
    _check(rule)

    def add(rules: tuple[LimitRule, ...]) -> Sequence[LimitRule]:
        if len(rules) >= MAX_RULES:
            raise BadRequest(f"An organization has at most {MAX_RULES} limits of its own.", code="too_many_limits")
        return [*rules, rule]

    tenants.rules_change(ref, add, actor=actor, request_id=request_id)
    return rule


def change(ref: OrgRef, rule_id: str, *, actor: Actor, request_id: UUID | None, **given: Any) -> LimitRule:
    """Change ``limit``, ``window``, ``hard`` or ``shadow``. What was used so far stays used."""

    def changed(rule: LimitRule) -> LimitRule:
        now = replace(rule, **{name: value for name, value in given.items() if value is not None})
        _check(now)
        if now.raised_limit is not None and now.raised_limit <= now.limit:
            now = replace(now, raised_limit=None, raised_until=None)
        return now

    return _replace(ref, rule_id, changed, actor=actor, request_id=request_id)


def raise_limit(
    ref: OrgRef, rule_id: str, *, limit: int, until: datetime, actor: Actor, request_id: UUID | None
) -> LimitRule:
    """A higher limit until a moment at most 31 days away; after it the rule is what it was."""
    now = clock.now()
    if not now < until <= now + LONGEST_RAISE:
        raise _invalid("#/until", "in the future, and at most 31 days away")

    def raised(rule: LimitRule) -> LimitRule:
        if limit <= rule.limit:
            raise _invalid("#/limit", f"more than the limit itself, {rule.limit}")
        _check(replace(rule, limit=limit))
        return replace(rule, raised_limit=limit, raised_until=until)

    return _replace(ref, rule_id, raised, actor=actor, request_id=request_id)


def end_raise(ref: OrgRef, rule_id: str, *, actor: Actor, request_id: UUID | None) -> LimitRule:
    """Back to the limit itself, now."""

    def ended(rule: LimitRule) -> LimitRule:
        return replace(rule, raised_limit=None, raised_until=None)

    return _replace(ref, rule_id, ended, actor=actor, request_id=request_id)


def remove(ref: OrgRef, rule_id: str, *, actor: Actor, request_id: UUID | None) -> None:
    """Remove a rule. Raises NotFound."""

    def without(rules: tuple[LimitRule, ...]) -> Sequence[LimitRule]:
        _find(rules, rule_id)
        return [rule for rule in rules if rule.id != rule_id]

    tenants.rules_change(ref, without, actor=actor, request_id=request_id)


def _replace(
    ref: OrgRef, rule_id: str, change: Callable[[LimitRule], LimitRule], *, actor: Actor, request_id: UUID | None
) -> LimitRule:
    def changed(rules: tuple[LimitRule, ...]) -> Sequence[LimitRule]:
        new = change(_find(rules, rule_id))
        return [new if rule.id == rule_id else rule for rule in rules]

    organization = tenants.rules_change(ref, changed, actor=actor, request_id=request_id)
    return _find(organization.rules, rule_id)


def _find(rules: Sequence[LimitRule], rule_id: str) -> LimitRule:
    for rule in rules:
        if rule.id == rule_id:
            return rule
    raise NotFound("There is no such limit.", code="limit_not_found")


def _window(kind: str, window: int | str | None) -> int | str:
    return 0 if window is None and kind == Kind.CONCURRENCY else (window if window is not None else "")


def _check(rule: LimitRule) -> None:
    if not 1 <= rule.limit <= _LARGEST[Kind(rule.kind)]:
        raise _invalid("#/limit", f"1 to {_LARGEST[Kind(rule.kind)]} for {rule.kind}")
    if rule.kind == Kind.BUDGET:
        if rule.window not in ("day", "month"):
            raise _invalid("#/window", "day or month for a budget")
        return
    if rule.kind == Kind.CONCURRENCY:
        if rule.window != 0:
            raise _invalid("#/window", "left out for concurrency")
    elif not isinstance(rule.window, int) or not 1 <= rule.window <= _LONGEST_WINDOW_S:
        raise _invalid("#/window", f"1 to {_LONGEST_WINDOW_S} seconds for {rule.kind}")
    if not rule.hard:
        raise _invalid("#/hard", "true for all but a budget; use shadow to try a limit out")


def _invalid(pointer: str, message: str) -> BadRequest:
    name = pointer.removeprefix("#/")
    return BadRequest(f"{name}: {message}.", problems=(FieldProblem(pointer, "invalid", message),))
