"""A contradiction that nobody may settle by writing: it becomes a ``memory.upsert`` proposal, with what it would
replace as its diff."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.core.errors import GatewayError
from gateway.core.journal import Actor
from gateway.governance.proposals import selectors as proposed
from gateway.governance.proposals import services as proposals
from gateway.governance.proposals import types as proposal_types
from gateway.knowledge.memory.drafts import Draft
from gateway.knowledge.memory.errors import InvalidMemory
from gateway.knowledge.memory.wording import same_words
from gateway.knowledge.memory.writing import Question

TYPE = "memory.upsert"
_LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """The proposal, or why there is none."""

    proposal_id: UUID | None = None
    error: GatewayError | None = None


def ask(question: Question, *, actor: Actor, request_id: UUID | None) -> Asked:
    """Propose it; the same question asked again while the first is undecided is that one. Inside the write's
    transaction, under the subject's lock."""
    draft, subject = question.draft, question.subject
    payload = payload_of(draft)
    asked = pending(payload, subject_id=subject.id, persona_id=draft.persona_id)
    if asked is not None:
        return Asked(asked.id)
    source = draft.sources[0]
    proposal = proposal_types.Draft(
        TYPE, payload, subject.id, draft.persona_id, f"{source.source}:{source.ref}" if source.ref else source.source,
        draft.confidence, subject_pk=subject.pk, request_id=request_id,
        diff={"before": "\n".join(rival.text for rival in question.rivals), "after": draft.text},
    )  # fmt: skip
    made, rejected = proposals.create([proposal], actor=actor)
    if rejected:
        return Asked(error=InvalidMemory(list(rejected[0].problems)))
    return Asked(made[0].id)


def pending(
    payload: dict[str, Any], *, subject_id: str | None, persona_id: str | None
) -> proposal_types.Proposal | None:
    """The undecided proposal that asks for this very memory already."""
    wanted = proposal_types.ProposalFilter(state=proposal_types.State.PENDING, type=TYPE, subject_id=subject_id)
    for one in proposed.list_page(wanted, limit=_LOOKED_AT, after=None).data:
        if _said(one.payload) == _said(payload) and one.persona_id == persona_id:
            return one
    return None


def _said(payload: dict[str, Any]) -> dict[str, Any]:
    """What is proposed, whenever it was said, and with whatever between its words."""
    said = {name: value for name, value in payload.items() if name not in {"occurred_at", "valid_from"}}
    return said | {"text": same_words(str(payload.get("text")))}


def payload_of(draft: Draft) -> dict[str, Any]:
    """The memory as ``memory.upsert`` takes it."""
    values = {
        "text": draft.text, "type": draft.type, "slot": draft.slot, "value": draft.value, "speaker": draft.speaker,
        "thread_id": draft.thread_id, "occurred_at": draft.occurred_at, "valid_from": draft.valid_from,
        "valid_to": draft.valid_to, "expires_at": draft.expires_at, "scope": draft.scope,
        "memory_scope": draft.memory_scope, "about": draft.about, "where": draft.where,
        "pii_tags": list(draft.pii_tags) or None,
    }  # fmt: skip
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
        if value is not None
    }
