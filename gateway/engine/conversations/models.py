"""A conversation pins what must not change in the middle of it, and keeps what was said. Private to the slice."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from gateway.core import clock, ids


class ConversationRow(models.Model):
    """``turns`` counts the turns that were stored, also those that retention has let go since; ``last_at`` is the
    moment of the last turn, stored or not."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    subject_pk = models.UUIDField()
    persona_id = models.CharField(max_length=64)
    persona_version = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=clock.now)
    last_at = models.DateTimeField(null=True)
    turns = models.IntegerField(db_default=0)

    class Meta:
        app_label = "gateway_conversations"
        db_table = "conversation"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["subject_pk", "-id"], name="conversation_by_subject"),
            models.Index(fields=["persona_id", "-id"], name="conversation_by_persona"),
        ]

    def __str__(self) -> str:
        return ids.public("conv", self.id)


class TurnRow(models.Model):
    """One question and its answer, sealed: a copy of the database holds no conversation. ``subject_pk`` stands here
    too, so that erasing a subject asks no other table. ``expires_at`` is set where a policy keeps it for less time
    than the organization does."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    conversation = models.ForeignKey(ConversationRow, on_delete=models.CASCADE, db_index=False, related_name="+")
    subject_pk = models.UUIDField()
    request_id = models.UUIDField()
    at = models.DateTimeField(default=clock.now)
    persona_version = models.PositiveIntegerField()
    model = models.CharField(max_length=128)
    said_ciphertext = models.BinaryField()
    said_kid = models.CharField(max_length=64)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "gateway_conversations"
        db_table = "conversation_turn"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["conversation", "request_id"], name="conversation_turn_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["conversation", "id"], name="conversation_turn_in_order"),
            models.Index(fields=["subject_pk", "id"], name="conversation_turn_by_subject"),
            models.Index(
                fields=["expires_at"],
                name="conversation_turn_by_expiry",
                condition=models.Q(expires_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return ids.public("req", self.request_id)
