"""How executed proposals about memories are taken back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway.core import ids
from gateway.core.errors import Forbidden, NotFound
from gateway.core.journal import Actor
from gateway.governance.proposals.errors import NotReversible
from gateway.governance.proposals.types import Proposal
from gateway.knowledge.memory import services
from gateway.knowledge.memory.drafts import audience
from gateway.knowledge.memory.models import MemoryRow
from tenants import plans
from tenants import selectors as directory
from tenants.context import current

_ACTOR = Actor("system", "proposals")


def undo_forget(proposal: Proposal) -> dict[str, Any]:
    """Bring the memory back. Raises what ``restore`` does."""
    result = proposal.result or {}
    if result.get("already_forgotten"):
        raise NotReversible("The memory was forgotten before this proposal; nothing of its doing can be taken back.")
    memory_id = ids.parse("mem", str(result.get("memory_id")))
    organization = directory.organization(current().id)
    limit = plans.limits(organization).memories if organization else None
    services.restore(memory_id, actor=_ACTOR, limit_per_subject=limit, request_id=proposal.request_id)
    return {"restored": ids.public("mem", memory_id)}


def undo_upsert(proposal: Proposal) -> dict[str, Any]:
    """Forget the memory that the proposal made, and believe again what it took over from, unless something newer holds
    the slot. Raises NotReversible when it was known before, Forbidden when what would come back is beyond reach."""
    result = proposal.result or {}
    if result.get("deduplicated"):
        raise NotReversible("This was known before the proposal, which only added a source; forget the memory itself.")
    memory_id = ids.parse("mem", str(result.get("memory_id")))
    replaced = list(MemoryRow.objects.filter(superseded_by=memory_id, corrected=False).order_by("id"))
    for row in replaced:
        if not proposal.reach.covers(row.memory_scope, audience(row.scope, row.persona_id)):
            detail = "This would bring back a memory that this key may not touch."
            raise Forbidden(detail, code="memory_scope_not_allowed")
    services.forget(memory_id, actor=_ACTOR, request_id=proposal.request_id)
    until = result.get("superseded") or {}
    reopened = []
    for row in replaced:
        public_id = ids.public("mem", row.id)
        valid_to = datetime.fromisoformat(until[public_id]) if until.get(public_id) else None
        if services.reopen(
            row.id, closed_by=memory_id, valid_to=valid_to, actor=_ACTOR, request_id=proposal.request_id
        ):
            reopened.append(public_id)
    return {"forgotten": ids.public("mem", memory_id), "reopened": reopened}


def retract(proposal: Proposal) -> None:
    """Forget the assertion that a proposal left, now that what it says is not so any more. One that the proposal only
    added a source to stays, and so does one that is gone."""
    if proposal.assertion_id is None or proposal.type.startswith("memory."):
        return  # those types took back the memory itself
    try:
        memory_id = ids.parse("mem", proposal.assertion_id)
    except NotFound:
        return  # no memory of ours
    if MemoryRow.objects.filter(pk=memory_id, proposal_id=proposal.id).exists():
        services.forget(memory_id, actor=_ACTOR, request_id=proposal.request_id)
