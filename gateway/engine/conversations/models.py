"""A conversation pins what must not change in the middle of it. Private to the slice."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from gateway.core import clock, ids


class ConversationRow(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    subject_pk = models.UUIDField()
    persona_id = models.CharField(max_length=64)
    persona_version = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        app_label = "gateway_conversations"
        db_table = "conversation"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["subject_pk", "-id"], name="conversation_by_subject"),
        ]

    def __str__(self) -> str:
        return ids.public("conv", self.id)
