"""The event rows of one organization. Private to the slice."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from gateway.core import clock, ids


class EventRow(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    name = models.CharField(max_length=64)
    version = models.SmallIntegerField()
    payload = models.JSONField()
    subject_id = models.CharField(max_length=128, null=True)
    persona_id = models.CharField(max_length=128, null=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        app_label = "gateway_events"
        db_table = "event"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["name", "id"], name="event_by_name"),
            models.Index(fields=["subject_id", "id"], name="event_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.id}"
