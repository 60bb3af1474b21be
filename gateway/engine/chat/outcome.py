"""What follows from the model's write tools: proposals, decided at once where policy allows it, and what to say when
it said nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.core import ids
from gateway.core.endpoint import Call
from gateway.core.journal import Actor
from gateway.engine.chat import write_tools
from gateway.engine.chat.messages import mask
from gateway.engine.chat.prepare import Prepared
from gateway.engine.chat.proposed import MEMORY_WRITE, ProposedWrite
from gateway.engine.chat.reader import Reader
from gateway.governance.proposals import services as proposals
from gateway.governance.proposals.types import Created, Draft, Proposal
from tenants.context import in_tenant

_POLICY = Actor("policy", "org")
# What a rejected call was about, in the caller's terms: the names of our tools are nobody's business.
_TYPES = {write_tools.MEMORY_UPSERT: MEMORY_WRITE}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Proposals as the answer shows them, writes that never became one, and a sentence when the model only called
    tools."""

    proposed: tuple[dict[str, Any], ...]
    rejected: tuple[dict[str, Any], ...]
    note: str


async def conclude(call: Call, prepared: Prepared, reader: Reader, *, prose: bool) -> Outcome:
    """Turn extracted writes into proposals. A turn without any costs no database work. ``prose`` says whether a
    sentence may stand in for an empty answer: where a program reads the answer as JSON, it may not."""
    rejected: list[dict[str, Any]] = [
        {"type": _TYPES.get(one.tool, "unknown"), "reason": one.reason} for one in reader.extraction.rejected
    ]
    proposed: list[Proposal] = []
    if reader.extraction.writes:
        drafts = [_draft(call, prepared, write) for write in reader.extraction.writes]
        created = await in_tenant(call.principal.ref, _create, drafts, prepared, call)
        proposed = list(created.proposals)
        rejected += [{"type": one.type, "reason": one.reason, "payload": one.payload} for one in created.rejected]
    call.decided("writes", "ok", proposed=[one.public_id for one in proposed], rejected=len(rejected))
    note = ""
    if prose and proposed and not reader.content and not reader.extraction.tool_calls:
        note = "I have put this forward; it waits for approval."
    return Outcome(tuple(one.wire() for one in proposed), tuple(rejected), note)


def _draft(call: Call, prepared: Prepared, write: ProposedWrite) -> Draft:
    return Draft(
        type=write.type,
        payload=mask(write.payload, prepared.policy.redact_mode),
        subject_id=prepared.subject.id,
        persona_id=prepared.persona.persona_id,
        source=_source(call, prepared, write),
        confidence=write.confidence,
        subject_pk=prepared.subject.pk,
        conversation_id=prepared.conversation.id,
        request_id=call.request_id,
    )


def _source(call: Call, prepared: Prepared, write: ProposedWrite) -> str:
    """The memory that the model named as the write's origin, or this turn of the chat."""
    memories = prepared.recall.memories
    if write.memory is not None and 1 <= write.memory <= len(memories):
        provenance = memories[write.memory - 1].provenance
        return f"{provenance.source}:{provenance.ref}" if provenance.ref else provenance.source
    return f"chat:{ids.public('req', call.request_id)}"


def _create(drafts: list[Draft], prepared: Prepared, call: Call) -> Created:
    created = proposals.create(drafts, actor=call.principal.actor)
    for proposal in created.proposals:
        if prepared.policy.auto_approves(proposal.type, proposal.confidence):
            proposals.approve(proposal.id, actor=_POLICY, comment="approved by policy", request_id=call.request_id)
            proposals.execute(proposal.id)
    return created
