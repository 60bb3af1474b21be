"""Letting go of conversations: one on demand, a subject's when it is erased, old ones by the organization's choice."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from gateway.core import clock, ids
from gateway.core.journal import Actor, Change, record
from gateway.engine.conversations.models import ConversationRow, TurnRow
from gateway.engine.conversations.types import SILENT_DAYS, ConversationEntry

# Short transactions: a chat that adds to a conversation waits for none of them.
BATCH = 1_000


def delete(entry: ConversationEntry, *, subject_id: str | None, actor: Actor, request_id: UUID | None = None) -> bool:
    """Delete a conversation and all its turns; whether it was there still."""
    with transaction.atomic():
        row = ConversationRow.objects.select_for_update().filter(pk=entry.id).first()
        if row is None:
            return False
        turns, _ = TurnRow.objects.filter(conversation_id=row.pk).delete()
        row.delete()
        record(
            Change(
                "conversation.deleted",
                actor,
                entry.public_id,
                subject_id=subject_id,
                persona_id=entry.persona_id,
                request_id=request_id,
                detail={"turns": turns},
            )
        )
    return True


def erase(subject_pk: UUID) -> dict[str, int]:
    """Delete all conversations of a subject, in batches; how many rows of which kind. Running it again finds none."""
    counts = {"conversations": 0, "turns": 0}
    while batch := list(ConversationRow.objects.filter(subject_pk=subject_pk).values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            held = ConversationRow.objects.select_for_update().filter(pk__in=batch).order_by("pk")
            found = list(held.values_list("pk", flat=True))
            counts["turns"] += TurnRow.objects.filter(conversation_id__in=found).delete()[0]
            counts["conversations"] += ConversationRow.objects.filter(pk__in=found).delete()[0]
    return counts


def retain(*, days: int, batches: int = 50) -> bool:
    """Delete turns older than ``days`` (0: all of them) or past a policy's own end, then conversations without a turn
    that fell silent. At most ``batches`` of each; returns whether more is left."""
    now = clock.now()
    old = TurnRow.objects.filter(Q(expires_at__lte=now) | Q(id__lt=_first_id(now - timedelta(days=days))))
    turns_left = _delete(old if days else TurnRow.objects.all(), batches)
    silent = now - timedelta(days=max(days, SILENT_DAYS))
    empty = ConversationRow.objects.alias(last=Coalesce("last_at", "created_at")).filter(
        ~Q(pk__in=TurnRow.objects.values("conversation_id")), id__lt=_first_id(silent), last__lt=silent
    )
    return _delete(empty, batches) or turns_left


def _delete(rows: QuerySet[TurnRow] | QuerySet[ConversationRow], batches: int) -> bool:
    for _ in range(batches):
        with transaction.atomic():
            oldest = rows.order_by("id").select_for_update(skip_locked=True, of=("self",))[:BATCH]
            found = [row.pk for row in oldest]
            rows.model.objects.filter(pk__in=found).delete()
        if len(found) < BATCH:
            return False
    return True


def _first_id(moment: datetime) -> UUID:
    """The smallest id that anything made at this moment can have."""
    return ids.uuid7_at(int(moment.timestamp() * 1000), 0)
