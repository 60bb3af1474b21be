"""The operations of one organization. Private to the slice."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from gateway.core import clock, ids


class OperationRow(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    kind = models.CharField(max_length=64)
    state = models.CharField(max_length=16)
    progress_done = models.BigIntegerField(default=0)
    progress_total = models.BigIntegerField(null=True)
    payload = models.JSONField(default=dict)
    checkpoint = models.JSONField(null=True)
    result = models.JSONField(null=True)
    error = models.JSONField(null=True)
    created_by = models.CharField(max_length=145)
    request_id = models.UUIDField(null=True)
    lease_id = models.UUIDField(null=True)
    heartbeat_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=clock.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "gateway_operations"
        db_table = "operation"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["heartbeat_at"],
                name="operation_unfinished",
                condition=Q(state__in=["queued", "running", "cancelling"]),
            ),
            models.Index(fields=["created_by", "id"], name="operation_by_creator"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id} {self.state}"
