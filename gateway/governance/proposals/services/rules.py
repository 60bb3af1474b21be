"""Writes of rules and of what is settled per type, each audited: who let machines decide must be found again."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from django.db import transaction

from gateway.core import clock, ids
from gateway.core.journal import Actor, Change, record
from gateway.governance.proposals.errors import TooManyRules, UnknownRule
from gateway.governance.proposals.models import RuleRow, TypeRow
from gateway.governance.proposals.rules import Rule, RuleSpec
from gateway.governance.proposals.settings import Settled, to_rule, to_settled
from tenants.context import current
from tenants.services import organization_touch

MAX_RULES = 100


def create_rule(spec: RuleSpec, *, actor: Actor, request_id: UUID | None = None) -> Rule:
    """A new rule, in force from the next proposal on. Raises TooManyRules."""
    with transaction.atomic():
        organization_touch(current())
        if RuleRow.objects.count() >= MAX_RULES:
            raise TooManyRules(f"An organization has at most {MAX_RULES} rules; delete one first.")
        row = RuleRow(id=ids.uuid7())
        _store(row, spec, actor)
        _record("created", row, spec, actor, request_id)
    return to_rule(row)


def replace_rule(rule_id: UUID, spec: RuleSpec, *, actor: Actor, request_id: UUID | None = None) -> Rule:
    """Put another spec in the rule's place; what it approved today still counts against its caps. Raises
    UnknownRule."""
    with transaction.atomic():
        row = _locked(rule_id)
        _store(row, spec, actor)
        _record("updated", row, spec, actor, request_id)
    return to_rule(row)


def delete_rule(rule_id: UUID, *, actor: Actor, request_id: UUID | None = None) -> None:
    """Forget a rule; what it decided stays decided and names it. Raises UnknownRule."""
    with transaction.atomic():
        row = _locked(rule_id)
        _record("deleted", row, to_rule(row).spec, actor, request_id)
        row.delete()


def settle(
    kind: str, *, quorum: int, expires_in_s: int | None, actor: Actor, request_id: UUID | None = None
) -> Settled:
    """How many people a type needs and how long they have, for proposals made from now on."""
    with transaction.atomic():
        organization_touch(current())
        row, _ = TypeRow.objects.update_or_create(
            type=kind,
            defaults={
                "quorum": quorum,
                "expires_in_s": expires_in_s,
                "updated_at": clock.now(),
                "updated_by": str(actor),
            },
        )
        detail = {"quorum": quorum, "expires_in_s": expires_in_s}
        record(Change("proposal_type.settled", actor, kind, request_id=request_id, detail=detail))
    return to_settled(row)


def _locked(rule_id: UUID) -> RuleRow:
    row = RuleRow.objects.select_for_update().filter(pk=rule_id).first()
    if row is None:
        raise UnknownRule("There is no such rule.")
    return row


def _store(row: RuleRow, spec: RuleSpec, actor: Actor) -> None:
    row.name, row.enabled, row.types, row.min_confidence = (
        spec.name,
        spec.enabled,
        list(spec.types),
        spec.min_confidence,
    )
    row.personas = None if spec.personas is None else list(spec.personas)
    row.per_day, row.per_subject_per_day = spec.per_day, spec.per_subject_per_day
    row.updated_at, row.updated_by = clock.now(), str(actor)
    row.save()


def _record(verb: str, row: RuleRow, spec: RuleSpec, actor: Actor, request_id: UUID | None) -> None:
    public_id = ids.public("rul", row.id)
    record(Change(f"proposal_rule.{verb}", actor, public_id, request_id=request_id, detail=asdict(spec)))
