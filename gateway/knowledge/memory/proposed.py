"""What proposals about memories show before they are decided, and how they are taken back: the diffs of
``memory.upsert`` and ``memory.forget``, the forgetting itself, and the undoing of both.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q

from gateway.core import ids
from gateway.core.errors import BadRequest, NotFound
from gateway.core.journal import Actor
from gateway.governance.proposals.errors import NotReversible
from gateway.governance.proposals.types import Draft, Effect, Proposal
from gateway.knowledge.memory import selectors, services
from gateway.knowledge.memory.drafts import audience
from gateway.knowledge.memory.errors import MemoryNotFound
from gateway.knowledge.memory.models import MemoryRow
from gateway.knowledge.memory.placement import Reach
from gateway.knowledge.memory.questions import quoted
from gateway.knowledge.memory.slots import is_single, name_of
from gateway.knowledge.memory.types import Memory, Status, Visibility
from tenants import plans
from tenants import selectors as directory
from tenants.context import current

_ACTOR = Actor("system", "proposals")
_MOST_SHOWN = 5
FORGET_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "memory.forget",
    "description": "Forget one memory about the person. It can be brought back for 30 days.",
    "type": "object",
    "additionalProperties": False,
    "required": ["memory_id"],
    "properties": {
        "memory_id": {"type": "string", "pattern": "^mem_[0-9a-hjkmnp-tv-z]{26}$"},
        "reason": {"type": "string", "maxLength": 500},
    },
}


def upsert_diff(draft: Draft) -> dict[str, Any]:
    """The text that it would take over from: what its slot says now, where a slot has one value at a time."""
    after = draft.payload.get("text")
    slot = draft.payload.get("slot")
    if draft.subject_pk is None or not isinstance(slot, str) or not is_single(name_of(slot)):
        return {"before": None, "after": after}
    private = Q(scope=Visibility.PRIVATE) & ~Q(persona_id=draft.persona_id) & Q(persona_id__isnull=False)
    rows = MemoryRow.objects.filter(subject_pk=draft.subject_pk, slot=name_of(slot), status=Status.ACTIVE)
    found = list(rows.exclude(private).order_by("-id")[:_MOST_SHOWN])
    if not found:
        return {"before": None, "after": after}
    of = [quoted(row.memory_scope, audience(row.scope, row.persona_id)) for row in found]
    return {"before": "\n".join(row.body for row in found), "after": after, "of": of}


def forget_diff(draft: Draft) -> dict[str, Any]:
    """The memory that would go; nothing before when it is gone already or is none of this subject's."""
    memory = _find(draft)
    if memory is None or memory.status == Status.FORGOTTEN:
        return {"before": None, "after": None}
    return {"before": memory.text, "after": None, "of": [quoted(memory.memory_scope, memory.audience)]}


def forget(proposal: Proposal) -> Effect:
    """Forget the memory, at once and for 30 days with a way back. Raises MemoryNotFound for one of another subject."""
    memory = _find(proposal)
    if memory is None:
        raise MemoryNotFound("There is no such memory of the proposal's subject.")
    already = memory.status == Status.FORGOTTEN
    alike = Reach(personas=(proposal.persona_id,) if proposal.persona_id is not None else None)
    services.forget(memory.id, actor=_ACTOR, request_id=proposal.request_id, alike=alike)
    # The assertion that it leaves is the memory itself, now kept as forgotten: remembering in words what was to be
    # forgotten would undo it.
    return Effect({"memory_id": memory.public_id, "already_forgotten": already}, assertion_id=memory.public_id)


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
    """Forget the memory that the proposal made. Raises NotReversible when it was known before."""
    result = proposal.result or {}
    if result.get("deduplicated"):
        raise NotReversible("This was known before the proposal, which only added a source; forget the memory itself.")
    memory_id = ids.parse("mem", str(result.get("memory_id")))
    services.forget(memory_id, actor=_ACTOR, request_id=proposal.request_id)
    return {"forgotten": ids.public("mem", memory_id)}


def retract(proposal: Proposal) -> None:
    """Forget the assertion that a proposal left, now that what it says is not so any more. One that the proposal only
    added a source to stays, and so does one that is gone."""
    if proposal.assertion_id is None or proposal.type.startswith("memory."):
        return  # those types took back the memory itself
    memory_id = _parsed(proposal.assertion_id)
    if memory_id is not None and MemoryRow.objects.filter(pk=memory_id, proposal_id=proposal.id).exists():
        services.forget(memory_id, actor=_ACTOR, request_id=proposal.request_id)


def _find(given: Draft | Proposal) -> Memory | None:
    memory_id = _parsed(str(given.payload.get("memory_id")))
    if given.subject_pk is None:
        raise BadRequest("The proposal names no subject whose memory it could be.", code="subject_missing")
    try:
        memory = selectors.get(memory_id) if memory_id is not None else None
    except MemoryNotFound:
        return None
    hidden = (
        memory is not None
        and memory.scope == Visibility.PRIVATE
        and memory.persona_id is not None
        and memory.persona_id != given.persona_id
    )
    return memory if memory is not None and memory.subject_pk == given.subject_pk and not hidden else None


def _parsed(public_id: str) -> UUID | None:
    try:
        return ids.parse("mem", public_id)
    except NotFound:
        return None
