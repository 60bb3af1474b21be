"""What a proposal would change, for the eye of whoever decides: ``{"before": …, "after": …}``."""

from __future__ import annotations

from typing import Any

from gateway.governance.proposals import registry
from gateway.governance.proposals.types import Draft, Proposal


def diff_of(draft: Draft) -> dict[str, Any]:
    """The draft's own diff, else its executor's preview, else everything as new (of a text-carrying memory, just the
    text).
    """
    if draft.diff is not None:
        return draft.diff
    executor = registry.find(draft.type)
    if executor is not None and executor.diff is not None:
        return executor.diff(draft)
    return added(draft.type, draft.payload)


def current(proposal: Proposal) -> dict[str, Any]:
    """The diff against what is now, where the type can tell; else the one that it was proposed with."""
    executor = registry.find(proposal.type)
    if executor is None or executor.diff is None:
        return proposal.diff
    return executor.diff(
        Draft(
            type=proposal.type, payload=proposal.payload, subject_id=proposal.subject_id,
            persona_id=proposal.persona_id, source=str(proposal.provenance.get("from", "")),
            confidence=proposal.confidence, subject_pk=proposal.subject_pk,
            conversation_id=proposal.conversation_id, request_id=proposal.request_id,
        )
    )  # fmt: skip


def added(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The diff of something that was not there before."""
    if kind == "memory.upsert" and isinstance(payload.get("text"), str):
        return {"before": None, "after": payload["text"]}
    return {"before": None, "after": payload}
