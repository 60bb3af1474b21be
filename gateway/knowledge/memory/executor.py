"""What approved proposals come to in memory: ``memory.upsert`` itself, and the assertion of every other executed
type."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from gateway.core import clock, ids
from gateway.core.errors import BadRequest, FieldProblem, Forbidden
from gateway.core.journal import Actor
from gateway.governance.proposals import registry
from gateway.governance.proposals import types as proposal_types
from gateway.governance.proposals.sources import kind_of
from gateway.governance.proposals.types import Effect, Proposal
from gateway.knowledge.memory import drafts, facts, proposed, services, storage, undone
from gateway.knowledge.memory.models import MemoryRow
from gateway.knowledge.memory.placement import Fact, claim_of, place
from gateway.knowledge.memory.types import (
    MAX_LABEL,
    MAX_NAME,
    MAX_PII_TAGS,
    MAX_REF,
    MAX_TEXT,
    Memory,
    MemoryType,
    NewMemory,
    Provenance,
    Visibility,
)
from tenants import plans
from tenants import selectors as directory
from tenants.context import current

_NAME = {"type": "string", "minLength": 1, "maxLength": MAX_NAME}
_LABEL = {"type": "string", "minLength": 1, "maxLength": MAX_LABEL}
_TIME = {"type": "string", "format": "date-time", "description": "ISO 8601 with an offset"}
UPSERT_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "memory.upsert",
    "description": "Remember one fact about the person.",
    "type": "object",
    "additionalProperties": False,
    "required": ["text"],
    "properties": {
        "text": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT, "pattern": "\\S"},
        "type": {"enum": [member.value for member in MemoryType]},
        "slot": _NAME,
        "value": {},
        "speaker": _NAME,
        "occurred_at": _TIME,
        "valid_from": _TIME,
        "valid_to": _TIME,
        "scope": {"enum": [member.value for member in Visibility]},
        "memory_scope": _NAME,
        "thread_id": _NAME,
        "about": _LABEL,
        "where": _LABEL,
        "expires_at": _TIME,
        "pii_tags": {"type": "array", "items": _NAME, "maxItems": MAX_PII_TAGS},
    },
}
_TIMES = ("occurred_at", "valid_from", "valid_to", "expires_at")
# Whoever decides by these names is nobody: what a rule lets through is still what a program read out of a conversation.
_RULES = ("policy:", "rule:", "system:")


def register() -> None:
    """Make memory known to proposals; called once, when the app is ready."""
    registry.register(
        registry.Executor(
            type="memory.upsert",
            schema=UPSERT_SCHEMA,
            run=upsert,
            diff=proposed.upsert_diff,
            undo=undone.undo_upsert,
            check=check_upsert,
            collection=collection_of,
            permit=permit,
        )
    )
    registry.register(
        registry.Executor(
            type="memory.forget",
            schema=proposed.FORGET_SCHEMA,
            run=proposed.forget,
            diff=proposed.forget_diff,
            undo=undone.undo_forget,
            check=proposed.check_forget,
            collection=proposed.collection_of_forgotten,
        )
    )
    registry.set_assertion_writer(write_assertion, undone.retract)


def check_upsert(draft: proposal_types.Draft) -> None:
    """Raise InvalidMemory, or BadRequest for a time, where the memory could never be stored."""
    drafts.check(_proposed(draft.payload, **_said(draft.source, draft)), clock.now())


def collection_of(draft: proposal_types.Draft) -> str:
    """The collection that the memory would be searched under."""
    named = str(draft.payload.get("memory_scope") or "").strip()
    return named or kind_of(draft.source)


def permit(proposal: Proposal) -> None:
    """Raise Forbidden when the memory would take over from one that whoever decides may not touch."""
    for rival in _rivals(proposal):
        if not proposal.reach.covers(rival.memory_scope, rival.audience):
            detail = "This would replace a memory that this key may not touch."
            raise Forbidden(detail, code="memory_scope_not_allowed")


def upsert(proposal: Proposal) -> Effect:
    """Store the proposed memory. Its first source is the proposal's own source, the second the proposal. It takes over
    from what it contradicts: that was decided, within the reach of who decided. Only a person's decision brings back
    what was forgotten."""
    organization = directory.organization(current().id)
    limit = plans.limits(organization).memories if organization else None
    person = _Person(proposal)
    storage.lock([(person.pk, person.id)])  # nobody comes between what it may replace and what it replaces
    permit(proposal)
    rivals = {rival.id: rival.valid_to for rival in _rivals(proposal)}
    memory = _store(proposal, _new(proposal), limit)
    closed = MemoryRow.objects.filter(superseded_by=memory.id, pk__in=rivals).values_list("id", flat=True)
    result: dict[str, Any] = {"memory_id": memory.public_id, "deduplicated": memory.deduplicated}
    if closed:
        result["superseded"] = {ids.public("mem", old): rivals[old] for old in closed}
    return Effect(result, assertion_id=memory.public_id)


def _new(proposal: Proposal) -> NewMemory:
    extracted = (proposal.decided_by or "").startswith(_RULES)
    return _proposed(proposal.payload, **_common(proposal), extracted=extracted)


def _proposed(given: dict[str, Any], **common: Any) -> NewMemory:
    """The memory that a payload describes. Raises BadRequest for a time that is none."""
    payload = dict(given)
    payload["pii_tags"] = tuple(payload.get("pii_tags") or ())
    times: dict[str, Any] = {name: _time(name, payload.pop(name)) for name in _TIMES if payload.get(name) is not None}
    return NewMemory(**common, **payload, **times)


def _rivals(proposal: Proposal) -> list[Fact]:
    """The facts that carrying it out would end."""
    if proposal.subject_pk is None:
        return []
    draft = drafts.check(_new(proposal), clock.now())
    known = facts.of_slots([(proposal.subject_pk, draft)])
    return list(place(claim_of(draft), known.get((proposal.subject_pk, draft.slot or ""), [])).rivals)


def write_assertion(proposal: Proposal) -> str:
    """Remember that a proposal was carried out; returns the memory's public id. The plan's limit does not undo what
    has happened."""
    kind = MemoryType.EVENT if proposal.type.startswith("calendar.") else MemoryType.FACT
    text = f"{proposal.type}: {_in_words(proposal.payload)}"[:MAX_TEXT]
    common = _common(proposal)
    origin, (itself,) = common["provenance"], common["further_sources"]
    common |= {"provenance": itself, "further_sources": (origin,), "memory_scope": origin.source}
    return _store(proposal, NewMemory(text=text, type=kind, **common), None).public_id


def _common(proposal: Proposal) -> dict[str, Any]:
    """The fields that any memory takes from its proposal."""
    return {
        **_said(str(proposal.provenance.get("from") or ""), proposal),
        "further_sources": (Provenance("proposal", proposal.public_id),),
        "proposal_id": proposal.id,
    }


def _said(source: str, by: Proposal | proposal_types.Draft) -> dict[str, Any]:
    """Where a memory comes from, how sure that is, and whose it is. A source reads ``gmail:msg_123``, or ``chat``."""
    ref = source.partition(":")[2].strip()[:MAX_REF].strip()
    return {
        "provenance": Provenance(kind_of(source), ref or None), "confidence": by.confidence,
        "persona_id": by.persona_id,
    }  # fmt: skip


class _Person:
    """The proposal's subject by both names."""

    def __init__(self, proposal: Proposal) -> None:
        if proposal.subject_pk is None or not proposal.subject_id:
            raise BadRequest("The proposal names no subject to remember this for.", code="subject_missing")
        self.pk, self.id = proposal.subject_pk, proposal.subject_id


def _store(proposal: Proposal, new: NewMemory, limit: int | None) -> Memory:
    actor = Actor("system", "proposals")
    return services.create(_Person(proposal), new, actor=actor, request_id=proposal.request_id, limit_per_subject=limit)


def _time(name: str, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        problem = FieldProblem(f"#/{name}", "not_a_time", "must be ISO 8601 with an offset")
        raise BadRequest(f"{name} must be ISO 8601 with an offset, not {text[:40]!r}.", problems=(problem,)) from None


def _in_words(payload: dict[str, Any]) -> str:
    """``title: Quiz; when: …``: the payload as words that recall can find."""
    parts = (
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in payload.items()
    )
    return "; ".join(parts)
