"""All that a turn needs from the database, read in one hop of one thread: the connection is back in the pool before
the model is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core.errors import Forbidden
from gateway.engine.chat.messages import Message, masked
from gateway.engine.chat.types import ChatRequest
from gateway.engine.conversations import services as conversations
from gateway.engine.conversations.types import Conversation
from gateway.governance.policies import selectors as policies
from gateway.governance.policies.types import EffectivePolicy, RequestedPolicy
from gateway.knowledge.memory import selectors as memory
from gateway.knowledge.memory.types import Recall, RecallQuery
from gateway.knowledge.personas import selectors as personas
from gateway.knowledge.personas.types import PersonaVersion
from gateway.knowledge.subjects import services as subjects
from gateway.knowledge.subjects.types import SubjectRef
from gateway.platform.flags import catalogue
from tenants.types import Principal

RECALLED = 10


@dataclass(frozen=True, slots=True)
class Prepared:
    """The turn's persona, subject, policy, conversation and memories, as values that outlive the connection;
    ``messages`` are the caller's, masked as the policy asks."""

    persona: PersonaVersion
    subject: SubjectRef
    policy: EffectivePolicy
    conversation: Conversation
    recall: Recall
    messages: tuple[Message, ...]


def check_key(principal: Principal, request: ChatRequest) -> None:
    """Refuse what the key may not touch, before anything is read or counted."""
    if not principal.may_use_persona(request.persona_id):
        raise Forbidden(f"This key may not use the persona {request.persona_id!r}.", code="persona_not_allowed")
    if not principal.may_use_subject(request.subject_id):
        raise Forbidden("This key may not act for this subject.", code="subject_not_allowed")
    allowed = principal.grant.memory_scopes
    outside = sorted(set(request.memory_scopes or ()) - set(allowed)) if allowed is not None else []
    if outside:
        raise Forbidden(
            f"This key may not search the memory scopes {', '.join(outside)}.", code="memory_scope_not_allowed"
        )


def prepare(request: ChatRequest, principal: Principal, request_id: UUID, *, keep: bool = True) -> Prepared:
    """Persona (at its pinned version), policy, subject, conversation and recall. Runs inside the organization's scope.
    With ``keep`` false everything is read and decided alike, and nothing is left behind.

    Raises NotFound for an unknown persona or conversation, Conflict for a pinned one, Forbidden where policy refuses;
    then nothing is left behind, not even a subject seen for the first time.
    """
    with transaction.atomic():
        persona = personas.load(request.persona_id, request.persona_version)
        subject = subjects.ensure(request.subject_id, actor=principal.actor, request_id=request_id)
        conversation = _conversation(request, subject, persona)
        if conversation.persona_version != persona.version:
            persona = personas.load(request.persona_id, conversation.persona_version)
        policy = policies.effective(
            persona_do=persona.cartridge.behavior.do,
            persona_dont=persona.cartridge.behavior.dont,
            request=_requested(request, principal),
        )
        policy.check_model(request.model)
        if not keep:
            transaction.set_rollback(True)
    # After the transaction: recall keeps and uses its cache only for what is committed.
    query = RecallQuery(
        subject.pk, request.question, k=RECALLED, memory_scopes=policy.memory_scopes, personas=(persona.persona_id,)
    )
    told = masked(request.messages, policy.redact_mode)
    ttl_s = catalogue.value(principal.organization, "cache-memory-ttl-seconds")
    return Prepared(persona, subject, policy, conversation, memory.recall(query, ttl_s=ttl_s), told)


def _conversation(request: ChatRequest, subject: SubjectRef, persona: PersonaVersion) -> Conversation:
    if request.conversation_id is None:
        return conversations.begin(
            subject_pk=subject.pk, persona_id=persona.persona_id, persona_version=persona.version
        )
    return conversations.take_up(
        request.conversation_id,
        subject_pk=subject.pk,
        persona_id=request.persona_id,
        persona_version=request.persona_version,
    )


def _requested(request: ChatRequest, principal: Principal) -> RequestedPolicy:
    return RequestedPolicy(
        redact_mode=request.redact_mode,
        memory_scopes=request.memory_scopes,
        key_memory_scopes=principal.grant.memory_scopes,
        max_output_tokens=request.max_tokens,
    )


def recalled_facts(recall: Recall) -> Sequence[dict[str, Any]]:
    """The recall's line in the decision record: ids and scores, no content."""
    return [{"id": memory.public_id, "score": round(memory.score, 4)} for memory in recall.memories]
