"""What approved proposals come to in memory: ``memory.upsert`` itself, and the assertion of every other executed
type."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from gateway.core.errors import BadRequest, FieldProblem
from gateway.core.journal import Actor
from gateway.governance.proposals import registry
from gateway.governance.proposals.types import Effect, Proposal
from gateway.knowledge.memory import proposed, services
from gateway.knowledge.memory.types import (
    MAX_LABEL,
    MAX_NAME,
    MAX_PII_TAGS,
    MAX_REF,
    MAX_SNIPPET,
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
            type="memory.upsert", schema=UPSERT_SCHEMA, run=upsert, diff=proposed.upsert_diff, undo=proposed.undo_upsert
        )
    )
    registry.register(
        registry.Executor(
            type="memory.forget",
            schema=proposed.FORGET_SCHEMA,
            run=proposed.forget,
            diff=proposed.forget_diff,
            undo=proposed.undo_forget,
        )
    )
    registry.set_assertion_writer(write_assertion, proposed.retract)


def upsert(proposal: Proposal) -> Effect:
    """Store the proposed memory. Its first source is the proposal's own source, the second the proposal. It takes over
    from what it contradicts: that was decided. Only a person's decision brings back what was forgotten."""
    payload = dict(proposal.payload)
    payload["pii_tags"] = tuple(payload.get("pii_tags") or ())
    payload["extracted"] = (proposal.decided_by or "").startswith(_RULES)
    times: dict[str, Any] = {name: _time(name, payload.pop(name)) for name in _TIMES if payload.get(name) is not None}
    organization = directory.organization(current().id)
    limit = plans.limits(organization).memories if organization else None
    memory = _store(proposal, NewMemory(**_common(proposal), **payload, **times), limit)
    return Effect(
        result={"memory_id": memory.public_id, "deduplicated": memory.deduplicated}, assertion_id=memory.public_id
    )


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
    """The fields that any memory takes from its proposal. Its source reads ``gmail:msg_123``, or ``chat``."""
    source, _, ref = str(proposal.provenance.get("from") or "chat").partition(":")
    snippet = str(proposal.provenance.get("snippet") or "")[:MAX_SNIPPET] or None
    return {
        "provenance": Provenance(source[:MAX_NAME] or "chat", ref[:MAX_REF] or None, snippet),
        "further_sources": (Provenance("proposal", proposal.public_id),),
        "confidence": proposal.confidence,
        "persona_id": proposal.persona_id,
        "proposal_id": proposal.id,
    }


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
