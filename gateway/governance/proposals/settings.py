"""Reads of what the organization has settled: rules, and quorum and expiry per type."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gateway.governance.proposals.errors import UnknownRule
from gateway.governance.proposals.models import RuleRow, TypeRow
from gateway.governance.proposals.rules import Rule, RuleSpec


@dataclass(frozen=True, slots=True)
class Settled:
    """``quorum`` people must say yes to a proposal of this type; ``expires_in_s`` None is seven days."""

    type: str
    quorum: int = 1
    expires_in_s: int | None = None
    updated_at: datetime | None = None
    updated_by: str | None = None


def rules(*, enabled_only: bool = False) -> list[Rule]:
    """The organization's rules, oldest first; at most a hundred."""
    rows = RuleRow.objects.order_by("id")
    return [to_rule(row) for row in (rows.filter(enabled=True) if enabled_only else rows)]


def rule(rule_id: UUID) -> Rule:
    """One rule. Raises UnknownRule."""
    row = RuleRow.objects.filter(pk=rule_id).first()
    if row is None:
        raise UnknownRule("There is no such rule.")
    return to_rule(row)


def settled() -> dict[str, Settled]:
    """What is settled, by type; a type that nobody touched is not in it."""
    return {row.type: to_settled(row) for row in TypeRow.objects.all()}


def to_rule(row: RuleRow) -> Rule:
    personas = None if row.personas is None else tuple(row.personas)
    spec = RuleSpec(
        row.name, tuple(row.types), row.min_confidence, personas, row.per_day, row.per_subject_per_day, row.enabled
    )
    return Rule(row.id, spec, row.created_at, row.updated_at, row.updated_by)


def to_settled(row: TypeRow) -> Settled:
    return Settled(row.type, row.quorum, row.expires_in_s, row.updated_at, row.updated_by)
