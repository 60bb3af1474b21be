"""What proposals about memories show before they are decided: the diffs of ``memory.upsert`` and ``memory.forget``; and
the forgetting itself.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q

from gateway.core import ids
from gateway.core.errors import BadRequest, FieldProblem, NotFound
from gateway.core.journal import Actor
from gateway.governance.proposals.reach import Reach
from gateway.governance.proposals.types import Draft, Effect, Proposal
from gateway.knowledge.memory import placement, selectors, services
from gateway.knowledge.memory.drafts import audience
from gateway.knowledge.memory.errors import MemoryNotFound
from gateway.knowledge.memory.models import MemoryRow
from gateway.knowledge.memory.slots import is_single, name_of
from gateway.knowledge.memory.types import Memory, Status, Visibility

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


def upsert_diff(draft: Draft, reach: Reach) -> dict[str, Any]:
    """The text that it would take over from: what its slot says now, where a slot has one value at a time."""
    after = draft.payload.get("text")
    slot = draft.payload.get("slot")
    if draft.subject_pk is None or not isinstance(slot, str) or not is_single(name_of(slot)):
        return {"before": None, "after": after}
    private = Q(scope=Visibility.PRIVATE) & ~Q(persona_id=draft.persona_id) & Q(persona_id__isnull=False)
    rows = MemoryRow.objects.filter(subject_pk=draft.subject_pk, slot=name_of(slot), status=Status.ACTIVE)
    return _shown(draft.subject_pk, list(rows.exclude(private).order_by("-id")[:_MOST_SHOWN]), after, reach)


def forget_diff(draft: Draft, reach: Reach) -> dict[str, Any]:
    """The memory that would go; nothing before when it is gone already or is none of this subject's."""
    memory = _find(draft)
    if memory is None or memory.status == Status.FORGOTTEN:
        return {"before": None, "after": None}
    return _shown(memory.subject_pk, list(MemoryRow.objects.filter(pk=memory.id)), None, reach)


def _shown(subject_pk: UUID, rows: list[MemoryRow], after: str | None, reach: Reach) -> dict[str, Any]:
    """The diff, with those of the texts before that the reader may see; and why there are not more."""
    revoked = selectors.revoked(subject_pk) if rows else set()
    reasons = {row.id: _withheld(row, revoked, reach) for row in rows}
    texts = [row.body for row in rows if reasons[row.id] is None]
    diff: dict[str, Any] = {"before": "\n".join(texts) or None, "after": after}
    kept_back = next((why for why in reasons.values() if why is not None), None)
    return diff if kept_back is None else {**diff, "withheld": kept_back}


def _withheld(row: MemoryRow, revoked: set[str], reach: Reach) -> str | None:
    """Why a text is not shown; None when it is."""
    if not reach.reads:
        return "scope_missing"
    if not reach.covers(row.memory_scope, audience(row.scope, row.persona_id)):
        return "memory_scope_not_allowed"
    if row.is_revoked(revoked):
        return "source_revoked"
    return "hidden" if row.hidden else None


def check_forget(draft: Draft) -> None:
    """Raise MemoryNotFound when there is no such memory of the subject's to forget."""
    if draft.subject_pk is not None and _find(draft) is None:
        raise _no_memory()


def collection_of_forgotten(draft: Draft) -> str | None:
    """The collection of the memory that would be forgotten."""
    memory = _find(draft) if draft.subject_pk is not None else None
    return memory.memory_scope if memory is not None else None


def forget(proposal: Proposal) -> Effect:
    """Forget the memory, at once and for 30 days with a way back. Raises MemoryNotFound for one of another subject."""
    memory = _find(proposal)
    if memory is None:
        raise _no_memory()
    already = memory.status == Status.FORGOTTEN
    alike = placement.Reach(personas=(proposal.persona_id,) if proposal.persona_id is not None else None)
    services.forget(memory.id, actor=_ACTOR, request_id=proposal.request_id, alike=alike)
    # The assertion that it leaves is the memory itself, now kept as forgotten: remembering in words what was to be
    # forgotten would undo it.
    return Effect({"memory_id": memory.public_id, "already_forgotten": already}, assertion_id=memory.public_id)


def _no_memory() -> MemoryNotFound:
    problem = FieldProblem("#/memory_id", "memory_not_found", "names no memory of the proposal's subject")
    return MemoryNotFound("There is no such memory of the proposal's subject.", problems=(problem,))


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
