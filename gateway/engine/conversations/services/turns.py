"""Keeping what was said: sealed one by one, once per request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from gateway.core import clock, crypto, ids, resealing
from gateway.core.plain import plain
from gateway.core.resealing import Resealed
from gateway.engine.conversations.models import ConversationRow, TurnRow
from gateway.engine.conversations.places import place
from tenants import selectors as tenants
from tenants.context import current

_DAY = timedelta(days=1)


def append_turn(
    conversation_id: UUID,
    *,
    request_id: UUID,
    question: str,
    answer: str,
    persona_version: int,
    model: str,
    citations: Sequence[dict[str, Any]] = (),
    retention_days: int | None = None,
) -> bool:
    """Keep one turn of a conversation of the organization in scope; whether it was stored now. Texts are stored as they
    are given: redact them first.

    A request that is replayed or settled twice is stored once. ``retention_days`` is what a policy asks for, within
    what the organization keeps anyway; 0 keeps nothing. A conversation that was deleted meanwhile takes nothing in.
    """
    kept = tenants.organization(current().id)
    days = kept.settings.conversation_retention_days if kept is not None else 0
    asked = days if retention_days is None else min(days, retention_days)
    now = clock.now()
    with transaction.atomic():
        # The lock makes deleting the conversation and adding to it take turns.
        conversation = ConversationRow.objects.select_for_update().filter(pk=conversation_id).first()
        if conversation is None:
            return False
        if asked <= 0:
            ConversationRow.objects.filter(pk=conversation_id).update(last_at=now)
            return False
        if TurnRow.objects.filter(conversation_id=conversation_id, request_id=request_id).exists():
            return False
        row_id = ids.uuid7()
        said = plain({"question": question, "answer": answer, "citations": list(citations)})
        sealed, kid = crypto.seal(crypto.Secret(json.dumps(said, ensure_ascii=False)), *place(row_id))
        TurnRow.objects.create(
            id=row_id,
            conversation_id=conversation_id,
            subject_pk=conversation.subject_pk,
            request_id=request_id,
            at=now,
            persona_version=persona_version,
            model=model[:128],
            said_ciphertext=sealed,
            said_kid=kid,
            expires_at=now + asked * _DAY if asked < days else None,
        )
        ConversationRow.objects.filter(pk=conversation_id).update(last_at=now, turns=F("turns") + 1)
    return True


def reseal(*, limit: int, after: UUID | None = None) -> Resealed:
    """Put the next ``limit`` turns of the organization in scope under the ring's active key."""
    return resealing.reseal(
        TurnRow.objects.all(),
        "said",
        place=place,
        name=lambda row: f"the turn of {ids.public('req', row.request_id)}",
        limit=limit,
        after=after,
    )
