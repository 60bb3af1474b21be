"""What a turn leaves: proposals from the model's write tools, decided at once where policy allows it; the turn in its
conversation; and what to say when the model said nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog
from django.db import transaction

from gateway.core import ids
from gateway.core.endpoint import Call
from gateway.core.errors import GatewayError, Unavailable
from gateway.engine.chat import write_tools
from gateway.engine.chat.prepare import Prepared
from gateway.engine.chat.proposed import MEMORY_WRITE, ProposedWrite, RejectedWrite
from gateway.engine.chat.reader import Reader
from gateway.engine.chat.types import question_of
from gateway.engine.conversations import services as conversations
from gateway.governance.policies.redaction import redact_value
from gateway.governance.proposals import auto
from gateway.governance.proposals import services as proposals
from gateway.governance.proposals.types import Draft, Proposal
from gateway.knowledge.memory import questions
from gateway.knowledge.memory import services as memory
from gateway.knowledge.memory.types import NewMemory, Provenance
from gateway.knowledge.memory.wording import content_words
from gateway.knowledge.personas import relationships
from tenants.context import in_tenant

log = structlog.get_logger(__name__)
# What a rejected call was about, in the caller's terms: the names of our tools are nobody's business.
MEMORY_FORGET = "memory.forget"
_TYPES = {write_tools.MEMORY_UPSERT: MEMORY_WRITE}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Proposals as the answer shows them, writes that never became one, and a sentence when the model only called
    tools."""

    proposed: tuple[dict[str, Any], ...]
    rejected: tuple[dict[str, Any], ...]
    note: str


async def conclude(call: Call, prepared: Prepared, reader: Reader, *, prose: bool, model: str) -> Outcome:
    """Keep what an answered turn leaves. ``prose`` says whether a sentence may stand in for an empty answer: where a
    program reads the answer as JSON, it may not; ``model`` is who answered."""
    rejected: list[dict[str, Any]] = [_refused(one) for one in reader.extraction.rejected]
    proposed: list[Proposal] = []
    # An answer that was taken back proposes nothing, whatever its model had called by then.
    writes = reader.extraction.writes if reader.redirect is None and prepared.kept else ()
    rejected += [_not_here(one, prepared) for one in writes if not prepared.limits.allows_write(one.type)]
    writes = tuple(one for one in writes if prepared.limits.allows_write(one.type))
    if writes:
        drafts = [_draft(call, prepared, write) for write in writes]
        proposed, without = await in_tenant(call.principal.ref, _create, drafts, prepared, call)
        rejected += without
    if reader.findings:
        call.decided("guardrails", "ok", direction="output", findings=[one.as_json() for one in reader.findings])
    call.decided("writes", "ok", proposed=[one.public_id for one in proposed], rejected=len(rejected))
    note = ""
    if prose and proposed and not reader.content and not reader.extraction.tool_calls:
        note = "I have put this forward; it waits for approval."
    await _keep(call, prepared, reader, answer=reader.content + note, model=model)
    return Outcome(tuple(one.wire() for one in proposed), tuple(rejected), note)


async def _keep(call: Call, prepared: Prepared, reader: Reader, *, answer: str, model: str) -> None:
    """Leave the turn in its conversation. The answer is out by now and paid for: a store that is away costs the
    transcript this turn, not the caller the answer."""
    try:
        await in_tenant(call.principal.ref, _keep_turn, call, prepared, reader, answer, model)
    except Unavailable as error:
        call.decided("conversation", "degraded", code=error.code)
        log.warning("chat.turn_not_kept", code=error.code, request_id=ids.public("req", call.request_id))


def _keep_turn(call: Call, prepared: Prepared, reader: Reader, answer: str, model: str) -> None:
    if not (prepared.limits.history and prepared.kept):
        return
    with transaction.atomic():
        conversations.append_turn(
            prepared.conversation.id,
            request_id=call.request_id,
            question=question_of(prepared.messages),
            answer=answer,
            persona_version=prepared.persona.version,
            model=model,
            citations=[citation.wire() for citation in reader.citations],
            retention_days=prepared.policy.retention.conversation_days,
        )
        if prepared.redirect is None:
            subject = prepared.subject
            relationships.note_turn(
                subject.pk, prepared.persona.persona_id, subject_id=subject.id, request_id=call.request_id
            )


def _refused(write: RejectedWrite) -> dict[str, Any]:
    """A call of a write tool that says no write, in the shape of one that was refused later."""
    problem = {"pointer": "#/payload", "code": write.reason, "message": f"the model's call is {write.reason}"}
    return {"type": _TYPES.get(write.tool, "unknown"), "reason": write.reason, "errors": [problem]}


def _not_here(write: ProposedWrite, prepared: Prepared) -> dict[str, Any]:
    """A write that a group is no place for: it would make one person's words another's memory."""
    problem = {"pointer": "#/type", "code": "not_in_group", "message": "may not be proposed where others read along"}
    payload = redact_value(write.payload, prepared.policy.redact_mode)
    return {"type": write.type, "payload": payload, "reason": "not_in_group", "errors": [problem]}


def _draft(call: Call, prepared: Prepared, write: ProposedWrite) -> Draft:
    return Draft(
        type=write.type,
        payload=redact_value(_named(prepared, write), prepared.policy.redact_mode),
        subject_id=prepared.subject.id,
        persona_id=prepared.persona.persona_id,
        source=_source(call, prepared, write),
        confidence=write.confidence,
        subject_pk=prepared.subject.pk,
        conversation_id=prepared.conversation.id,
        request_id=call.request_id,
    )


def _named(prepared: Prepared, write: ProposedWrite) -> dict[str, Any]:
    """The payload; what is to be forgotten goes by its id, of which the model knows the marker alone."""
    memories = prepared.recall.memories
    if write.type != MEMORY_FORGET or "memory_id" in write.payload or write.memory is None:
        return write.payload
    known = 1 <= write.memory <= len(memories)
    return {**write.payload, "memory_id": memories[write.memory - 1].public_id} if known else write.payload


def _source(call: Call, prepared: Prepared, write: ProposedWrite) -> str:
    """The memory that the model named as the write's origin, or this turn of the chat."""
    memories = prepared.recall.memories
    if write.memory is not None and 1 <= write.memory <= len(memories):
        provenance = memories[write.memory - 1].provenance
        return f"{provenance.source}:{provenance.ref}" if provenance.ref else provenance.source
    return f"chat:{ids.public('req', call.request_id)}"


def _create(drafts: list[Draft], prepared: Prepared, call: Call) -> tuple[list[Proposal], list[dict[str, Any]]]:
    """(the proposals, what became none and why)."""
    problems = [(draft, _unwanted(draft, prepared)) for draft in drafts]
    wanted = [(draft, _asked_before(draft)) for draft, problem in problems if problem is None]
    asked = {known.id: known for _, known in wanted if known is not None}
    kept = [draft for draft, known in wanted if known is None]
    created = proposals.create(kept, actor=call.principal.actor, policy=prepared.policy, rules_asked=True)
    for proposal in created.proposals:
        auto.decide(prepared.policy, proposal, request_id=call.request_id)
    rejected = [_told(draft, problem) for draft, problem in problems if problem is not None]
    return [*asked.values(), *created.proposals], [*rejected, *(one.wire() for one in created.rejected)]


def _asked_before(draft: Draft) -> Proposal | None:
    """The proposal of an earlier turn that nobody decided yet, when it asks for the same memory."""
    if draft.type != MEMORY_WRITE:
        return None
    return questions.pending(draft.payload, subject_id=draft.subject_id, persona_id=draft.persona_id)


def _unwanted(draft: Draft, prepared: Prepared) -> GatewayError | None:
    """Why a memory that the model would like to keep is not even proposed: it was forgotten, it only repeats what was
    recalled, or its source was taken back. What the person says in this very turn is their own word, and may bring back
    what was forgotten."""
    text = draft.payload.get("text")
    if draft.type != MEMORY_WRITE or not isinstance(text, str):
        return None
    own_word = content_words(text) <= content_words(question_of(prepared.messages))
    source, _, ref = draft.source.partition(":")
    item = NewMemory(
        text=text,
        provenance=Provenance(source, ref or None),
        slot=draft.payload.get("slot"),
        value=draft.payload.get("value"),
        extracted=True,
        recalled=tuple(one.text for one in prepared.recall.memories),
    )
    problem = memory.refusal(prepared.subject.pk, item)
    return None if own_word and problem is not None and problem.code == "forgotten_before" else problem


def _told(draft: Draft, problem: GatewayError) -> dict[str, Any]:
    error = {"pointer": "#/payload", "code": problem.code, "message": problem.detail}
    return {"type": draft.type, "payload": draft.payload, "reason": problem.code, "errors": [error]}
