"""The decision records of one organization. Private to the slice."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class RequestRow(models.Model):
    id = models.UUIDField(primary_key=True)
    occurred_at = models.DateTimeField()
    surface = models.CharField(max_length=32)
    status = models.SmallIntegerField()
    state = models.CharField(max_length=16)
    record = models.JSONField(default=dict)
    key_id = models.CharField(max_length=40, null=True)
    persona_id = models.CharField(max_length=128, null=True)
    subject_id = models.CharField(max_length=128, null=True)
    model = models.CharField(max_length=128, null=True)

    class Meta:
        app_label = "gateway_requests"
        db_table = "request_record"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["key_id", "id"], name="request_record_by_key"),
            models.Index(fields=["subject_id", "id"], name="request_record_by_subject"),
            models.Index(fields=["status", "id"], name="request_record_by_status"),
            models.Index(fields=["occurred_at"], name="request_record_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.surface} {self.id}"
