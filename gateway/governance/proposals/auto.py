"""Whether a proposal goes ahead without a person, decided and done in one.

Who may say so, in this order: the effective policy itself (``writes.approval: auto`` with types and confidence), then
the organization's rules, oldest first. A rule never loosens a policy: where an overlay says ``manual``, or locks the
types, that holds; the policy's confidence counts beside the rule's. What needs several people is nobody else's.

A cap is exact under concurrency: the rule's row is locked, what it approved today is counted, and the approval commits
with the lock.
"""

from __future__ import annotations

from datetime import datetime, time
from fnmatch import fnmatchcase
from uuid import UUID

from django.db import transaction

from gateway.core import clock
from gateway.core.journal import Actor
from gateway.governance.policies.types import Approval, EffectivePolicy
from gateway.governance.proposals import services, settings
from gateway.governance.proposals.models import ProposalRow, RuleRow
from gateway.governance.proposals.rules import Rule
from gateway.governance.proposals.settings import to_rule
from gateway.governance.proposals.types import Proposal, State

POLICY = Actor("policy", "org")
_BUILT_IN = "built-in"


def decide(policy: EffectivePolicy, proposal: Proposal, *, request_id: UUID | None = None) -> Proposal:
    """Approve a pending proposal and have it carried out, if policy or a rule says so; as it is afterwards, which is
    pending when a person has to decide. Runs in the organization's scope and outside a transaction."""
    if proposal.state is not State.PENDING or proposal.quorum > 1:
        return proposal
    if policy.auto_approves(proposal.type, proposal.confidence):
        approved = services.approve(proposal.id, actor=POLICY, comment="approved by policy", request_id=request_id)
        return services.execute(approved.id)
    if not rules_may(policy, proposal):
        return proposal
    for rule in settings.rules(enabled_only=True):
        if rule.spec.covers(proposal) and _approve(rule, proposal, request_id):
            return services.execute(proposal.id)
    return proposal


def rules_may(policy: EffectivePolicy, proposal: Proposal) -> bool:
    """Whether the policy leaves room for rules: nobody asked for a person, no lock excludes the type, and the
    confidence is what the policy wants at least."""
    said = {line.field: line for line in policy.trace}
    approval, types = said.get("writes.approval"), said.get("writes.auto_types")
    asked_for = approval is not None and (approval.set_by != _BUILT_IN or approval.locked_by is not None)
    if policy.approval is Approval.MANUAL and asked_for:
        return False
    locked = types is not None and types.locked_by is not None
    if locked and not any(fnmatchcase(proposal.type, glob) for glob in policy.auto_types):
        return False
    return proposal.confidence >= policy.min_confidence


def _approve(rule: Rule, proposal: Proposal, request_id: UUID | None) -> bool:
    """Approve in the rule's name unless a cap is reached, or the rule changed meanwhile and no longer covers it."""
    with transaction.atomic():
        row = RuleRow.objects.select_for_update().filter(pk=rule.id, enabled=True).first()
        if row is None:
            return False
        now = to_rule(row)
        if not now.spec.covers(proposal) or not _below_caps(now, proposal):
            return False
        actor = Actor("rule", now.public_id)
        services.approve(
            proposal.id,
            actor=actor,
            comment=f"approved by rule {now.spec.name!r}",
            request_id=request_id,
            rule_id=now.id,
        )
        return True


def _below_caps(rule: Rule, proposal: Proposal) -> bool:
    today = datetime.combine(clock.now().date(), time(), clock.now().tzinfo)
    approved = ProposalRow.objects.filter(rule_id=rule.id, decided_at__gte=today)
    spec = rule.spec
    if spec.per_day is not None and approved.filter(type=proposal.type).count() >= spec.per_day:
        return False
    most = spec.per_subject_per_day
    return most is None or approved.filter(subject_id=proposal.subject_id).count() < most
