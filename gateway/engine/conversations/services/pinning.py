"""Begin a conversation, or take one up again under the terms it was begun with."""

from __future__ import annotations

from uuid import UUID

from gateway.core import ids
from gateway.core.errors import Conflict, NotFound
from gateway.engine.conversations.models import ConversationRow
from gateway.engine.conversations.types import Conversation


def begin(*, subject_pk: UUID, persona_id: str, persona_version: int) -> Conversation:
    """A new conversation that keeps this persona version for all its turns."""
    row = ConversationRow.objects.create(subject_pk=subject_pk, persona_id=persona_id, persona_version=persona_version)
    return of(row)


def take_up(public_id: str, *, subject_pk: UUID, persona_id: str, persona_version: int | None) -> Conversation:
    """An existing conversation of this subject. Another subject's does not exist here (NotFound); another persona, or
    a version other than the one it keeps, is Conflict."""
    row = ConversationRow.objects.filter(pk=ids.parse("conv", public_id), subject_pk=subject_pk).first()
    if row is None:
        raise NotFound(f"This subject has no conversation {public_id!r}.", code="conversation_not_found")
    if row.persona_id != persona_id or persona_version not in (None, row.persona_version):
        raise Conflict(
            f"This conversation keeps {row.persona_id} version {row.persona_version}; begin another one for a"
            " different persona.",
            code="conversation_pinned",
            extra={"persona_id": row.persona_id, "persona_version": row.persona_version},
        )
    return of(row)


def of(row: ConversationRow) -> Conversation:
    """What others see of a row."""
    return Conversation(row.id, row.subject_pk, row.persona_id, row.persona_version)
