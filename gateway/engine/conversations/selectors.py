"""Reads of conversations of the organization in scope."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import UUID

from gateway.core import crypto, ids
from gateway.core.errors import NotFound
from gateway.core.pagination import Page, page
from gateway.engine.conversations.models import ConversationRow, TurnRow
from gateway.engine.conversations.places import place
from gateway.engine.conversations.types import ConversationEntry, ConversationFilter, Turn


def search(wanted: ConversationFilter, *, limit: int, after: UUID | None = None) -> Page[ConversationEntry]:
    """Conversations, the newest first."""
    rows = ConversationRow.objects.order_by("-id")
    for field, value in (
        ("subject_pk", wanted.subject_pk),
        ("persona_id", wanted.persona_id),
        ("created_at__gte", wanted.since),
        ("created_at__lt", wanted.until),
        ("persona_id__in", wanted.persona_ids),
        ("subject_pk__in", wanted.subject_pks),
        ("id__lt", after),
    ):
        if value is not None:
            rows = rows.filter(**{field: value})
    return page([_entry(row) for row in rows[: limit + 1]], limit)


def get(conversation_id: UUID) -> ConversationEntry:
    """One conversation. Raises NotFound."""
    row = ConversationRow.objects.filter(pk=conversation_id).first()
    if row is None:
        public = ids.public("conv", conversation_id)
        raise NotFound(f"There is no conversation {public!r}.", code="conversation_not_found")
    return _entry(row)


def turns(conversation_id: UUID, *, limit: int, after: UUID | None = None) -> Page[Turn]:
    """The stored turns of a conversation, in their order. Raises Unreadable when their key is off the ring."""
    rows = TurnRow.objects.filter(conversation_id=conversation_id).order_by("id")
    if after is not None:
        rows = rows.filter(id__gt=after)
    return page([_turn(row) for row in rows[: limit + 1]], limit)


def of_subject(subject_pk: UUID) -> Iterator[ConversationEntry]:
    """All conversations of a subject, in their order."""
    for row in ConversationRow.objects.filter(subject_pk=subject_pk).order_by("id").iterator(500):
        yield _entry(row)


def all_turns(conversation_id: UUID) -> Iterator[Turn]:
    """Every stored turn of a conversation, in their order. Raises Unreadable."""
    for row in TurnRow.objects.filter(conversation_id=conversation_id).order_by("id").iterator(200):
        yield _turn(row)


def count(subject_pk: UUID) -> int:
    """How many conversations a subject has."""
    return ConversationRow.objects.filter(subject_pk=subject_pk).count()


def _entry(row: ConversationRow) -> ConversationEntry:
    return ConversationEntry(
        row.id, row.subject_pk, row.persona_id, row.persona_version, row.created_at, row.last_at, row.turns
    )


def _turn(row: TurnRow) -> Turn:
    said = json.loads(crypto.unseal(bytes(row.said_ciphertext), row.said_kid, *place(row.id)).reveal())
    return Turn(
        row.id,
        row.request_id,
        row.at,
        row.persona_version,
        row.model,
        said["question"],
        said["answer"],
        tuple(said["citations"]),
    )
