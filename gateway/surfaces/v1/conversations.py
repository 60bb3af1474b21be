"""``/v1/conversations``: what was said, turn by turn, for as long as the organization keeps it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from ninja import Query, Router
from ninja import Status as Answer

from gateway.core import ids
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.pagination import Page, check_limit, decode_cursor
from gateway.core.wire import Moment
from gateway.engine.conversations import selectors, services
from gateway.engine.conversations.types import ConversationEntry, ConversationFilter, Turn
from gateway.governance.policies import services as policies
from gateway.governance.policies.types import Level
from gateway.knowledge.subjects import selectors as subjects
from gateway.surfaces.v1.schemas.conversations import ConversationOut, ConversationPageOut, TranscriptOut
from tenants.context import in_tenant
from tenants.types import Principal

router = Router(tags=["conversations"])
# Where memories from conversations come from; a key narrowed to other sources reads none.
_SOURCE = "chat"


@router.get("/conversations", response=ConversationPageOut, summary="List conversations, newest first")
@endpoint(scope=Scope.CONVERSATIONS_READ)
async def list_conversations(
    request: HttpRequest,
    *,
    subject_id: Annotated[str | None, Query(max_length=128)] = None,
    persona_id: Annotated[str | None, Query(max_length=64)] = None,
    since: Moment | None = None,
    until: Moment | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> ConversationPageOut:
    """`since` and `until` (exclusive) are about when a conversation began. A narrowed key sees those of its subjects
    and personas."""
    call = call_of(request)
    principal: Principal = call.principal
    principal.require_memory_scopes((_SOURCE,))
    if subject_id is not None:
        principal.require_subject(subject_id)
    if persona_id is not None:
        principal.require_persona(persona_id)
    wanted = ConversationFilter(
        persona_id=persona_id, since=since, until=until, persona_ids=principal.grant.persona_ids
    )
    size, after = check_limit(limit), decode_cursor(cursor)
    found = await in_tenant(principal.ref, _page, wanted, subject_id, principal.grant.subject_ids, size, after)
    call.read("conversation.listed", "conversations", subject_id=subject_id, persona_id=persona_id)
    return found


@router.get("/conversations/{conversation_id}", response=TranscriptOut, summary="One conversation and what was said")
@endpoint(scope=Scope.CONVERSATIONS_READ)
async def get_conversation(
    request: HttpRequest, conversation_id: str, limit: int | None = None, cursor: str | None = None
) -> TranscriptOut:
    """The turns in their order, a page at a time. Texts are as they were masked when they were stored; each look is
    audited."""
    call = call_of(request)
    principal: Principal = call.principal
    principal.require_memory_scopes((_SOURCE,))
    size, after = check_limit(limit), decode_cursor(cursor)
    entry, subject_id, turns = await in_tenant(
        principal.ref, _transcript, ids.parse("conv", conversation_id), principal, size, after
    )
    call.read("conversation.read", entry.public_id, subject_id=subject_id, persona_id=entry.persona_id)
    return TranscriptOut.of(entry, subject_id, turns)


@router.delete("/conversations/{conversation_id}", response={204: None}, summary="Delete a conversation")
@endpoint(scope=Scope.CONVERSATIONS_WRITE)
async def delete_conversation(request: HttpRequest, conversation_id: str) -> Answer[None]:
    """Its turns are gone at once, and it can't be gone on with. What was remembered from it stays; see
    `DELETE /v1/memories/{memory_id}` and `DELETE /v1/subjects/{subject_id}`."""
    call = call_of(request)
    call.principal.require_memory_scopes((_SOURCE,))
    await in_tenant(call.principal.ref, _delete, ids.parse("conv", conversation_id), call.principal, call.request_id)
    return Answer(204, None)


def _page(
    wanted: ConversationFilter,
    subject_id: str | None,
    allowed: tuple[str, ...] | None,
    limit: int,
    after: UUID | None,
) -> ConversationPageOut:
    narrowed = (subject_id,) if subject_id is not None else allowed
    if narrowed is not None:
        known = subjects.find_many(narrowed)
        if not known:
            return ConversationPageOut(data=[], next_cursor=None)
        wanted = ConversationFilter(
            persona_id=wanted.persona_id,
            since=wanted.since,
            until=wanted.until,
            persona_ids=wanted.persona_ids,
            subject_pks=tuple(ref.pk for ref in known.values()),
        )
    found = selectors.search(wanted, limit=limit, after=after)
    names = subjects.names(entry.subject_pk for entry in found.data)
    shown = [ConversationOut(**ConversationOut.fields(entry, names.get(entry.subject_pk))) for entry in found.data]
    return ConversationPageOut(data=shown, next_cursor=found.next_cursor)


def _visible(conversation_id: UUID, principal: Principal) -> tuple[ConversationEntry, str | None]:
    """A conversation that this caller may see, and its subject's id. Raises NotFound, Forbidden."""
    entry = selectors.get(conversation_id)
    subject_id = subjects.names((entry.subject_pk,)).get(entry.subject_pk)
    principal.require_subject(subject_id or "")
    principal.require_persona(entry.persona_id)
    return entry, subject_id


def _transcript(
    conversation_id: UUID, principal: Principal, limit: int, after: UUID | None
) -> tuple[ConversationEntry, str | None, Page[Turn]]:
    entry, subject_id = _visible(conversation_id, principal)
    return entry, subject_id, selectors.turns(entry.id, limit=limit, after=after)


def _delete(conversation_id: UUID, principal: Principal, request_id: UUID) -> None:
    entry, subject_id = _visible(conversation_id, principal)
    with transaction.atomic():
        services.delete(entry, subject_id=subject_id, actor=principal.actor, request_id=request_id)
        policies.erase_target(Level.SESSION, entry.public_id)
