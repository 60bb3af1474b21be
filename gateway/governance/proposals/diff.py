"""What a proposal would change, for the eye of whoever decides: ``{"before": …, "after": …}``. ``withheld`` beside them
says why something of ``before`` is not shown."""

from __future__ import annotations

from typing import Any

from gateway.governance.proposals import registry
from gateway.governance.proposals.reach import EVERYTHING, Reach
from gateway.governance.proposals.types import Draft, Proposal, State


def diff_of(draft: Draft) -> dict[str, Any]:
    """The draft's own diff, else its executor's preview, else everything as new."""
    if draft.diff is not None:
        return draft.diff
    executor = registry.find(draft.type)
    if executor is not None and executor.diff is not None:
        return executor.diff(draft, EVERYTHING)
    return {"before": None, "after": draft.payload}


def current(proposal: Proposal, reach: Reach = EVERYTHING) -> dict[str, Any]:
    """The diff against what is now, where the type can tell; else the one that it was proposed with."""
    executor = registry.find(proposal.type)
    if executor is None or executor.diff is None:
        return proposal.diff
    return executor.diff(draft_of(proposal), reach)


def shown(proposal: Proposal, reach: Reach) -> dict[str, Any]:
    """As much of the diff as a reader may see: against what is now while it is pending, else as it was decided. What
    stood there before came from any collection, and is not told apart once it is kept."""
    if proposal.state is State.PENDING:
        return current(proposal, reach)
    if proposal.diff.get("before") is None or (reach.reads and not reach.is_narrow):
        return proposal.diff
    why = "memory_scope_not_allowed" if reach.reads else "scope_missing"
    return {**proposal.diff, "before": None, "withheld": why}


def draft_of(proposal: Proposal) -> Draft:
    """What was drafted, out of the proposal."""
    return Draft(
        type=proposal.type, payload=proposal.payload, subject_id=proposal.subject_id,
        persona_id=proposal.persona_id, source=str(proposal.provenance.get("from", "")),
        confidence=proposal.confidence, subject_pk=proposal.subject_pk,
        conversation_id=proposal.conversation_id, request_id=proposal.request_id,
    )  # fmt: skip
