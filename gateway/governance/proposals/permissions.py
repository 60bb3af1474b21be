"""Whether the organization's policy lets a write go where it would: asked when it is proposed, and again when it is
carried out, because policies change in between.
"""

from __future__ import annotations

from gateway.core.errors import FieldProblem, Forbidden
from gateway.governance.access import teams
from gateway.governance.policies import selectors as policies
from gateway.governance.policies.types import EffectivePolicy
from gateway.governance.proposals import targets
from gateway.governance.proposals.errors import NoTarget
from gateway.governance.proposals.types import Draft, Proposal

_KINDS = {"webhook.call": targets.Kind.WEBHOOK, "calendar.create": targets.Kind.CALDAV}


def problem(policy: EffectivePolicy, draft: Draft) -> FieldProblem | None:
    """What the policy has against a draft, or None."""
    line = policy.write_problem(draft.type, _target(draft))
    if line is None:
        return None
    pointer = "#/payload/target" if "target" in draft.payload else "#/type"
    return FieldProblem(pointer, "policy_refused", f"the policy of {line.set_by} does not allow this write")


def check(proposal: Proposal) -> None:
    """Raise Forbidden ``policy_refused`` for what the policies of the organization, the subject, its teams and the
    conversation do not allow as they are now. (Those of the proposing key's teams were asked when it was proposed.)"""
    policy = policies.effective(
        teams=teams.of_subject(proposal.subject_id) if proposal.subject_id is not None else (),
        subject_id=proposal.subject_id,
        conversation_id=proposal.conversation_id,
    )
    line = policy.write_problem(proposal.type, _target(proposal))
    if line is not None:
        told = f"The policy of {line.set_by} does not allow writes of type {proposal.type!r} there."
        raise Forbidden(told, code="policy_refused")


def _target(write: Draft | Proposal) -> str:
    """The name of the target that a write goes to; empty where its type has none."""
    kind = _KINDS.get(write.type)
    if kind is None:
        return ""
    try:
        return targets.choose(kind, write.payload.get("target")).name
    except NoTarget:
        return str(write.payload.get("target") or "")
