"""The public marker rows. Private to the slice."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from gateway.core import clock


class OutboxMarker(models.Model):
    id = models.BigAutoField(primary_key=True)
    org_id = models.UUIDField()
    kind = models.CharField(max_length=16)
    ref = models.UUIDField()
    shard = models.SmallIntegerField()
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        app_label = "gateway_outbox"
        db_table = "outbox_marker"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["kind", "org_id", "ref"], name="outbox_marker_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["kind", "shard", "id"], name="outbox_marker_relay"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.ref} of {self.org_id}"
