"""What a proposal would change, for the eye of whoever decides: ``{"before": …, "after": …}``.

Where ``before`` quotes memories, ``of`` has the collection and the one persona (None: all) of each; it is kept with the
diff and shown to nobody: it says who may read ``before``.
"""

from __future__ import annotations

from typing import Any

from gateway.governance.proposals import registry
from gateway.governance.proposals.types import Draft, Proposal
from tenants.types import Principal


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


def shown_to(principal: Principal, proposal: Proposal) -> dict[str, Any]:
    """The diff as this caller may see it: ``masked`` and without ``before`` when that quotes a memory beyond what its
    key is narrowed to."""
    diff = {name: value for name, value in proposal.diff.items() if name != "of"}
    hidden = quotes_beyond(principal, proposal.type, proposal.diff)
    return {**diff, "before": None, "masked": True} if hidden else diff


def quotes_beyond(principal: Principal, kind: str, diff: dict[str, Any]) -> bool:
    """Whether what a write would replace lies beyond what the caller's key is narrowed to."""
    if diff.get("before") is None or not kind.startswith("memory."):
        return False
    scopes = principal.grant.memory_scopes
    if "of" not in diff:  # kept before diffs said what they quote
        return scopes is not None
    allowed = {one.casefold() for one in scopes or ()}
    return any(
        (scopes is not None and one["memory_scope"] not in allowed)
        or (one["persona_id"] is not None and not principal.may_use_persona(one["persona_id"]))
        for one in diff["of"]
    )


def added(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The diff of something that was not there before."""
    if kind == "memory.upsert" and isinstance(payload.get("text"), str):
        return {"before": None, "after": payload["text"]}
    return {"before": None, "after": payload}
