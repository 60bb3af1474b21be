"""The proposals of one organization. Private to the slice."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from gateway.core import clock, ids


class ProposalRow(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    type = models.CharField(max_length=64)
    payload = models.JSONField()
    diff = models.JSONField()
    subject_id = models.CharField(max_length=128, null=True)
    subject_pk = models.UUIDField(null=True)
    persona_id = models.CharField(max_length=128, null=True)
    conversation_id = models.UUIDField(null=True)
    request_id = models.UUIDField(null=True)
    provenance = models.JSONField()
    confidence = models.FloatField()
    state = models.CharField(max_length=16)
    expires_at = models.DateTimeField()
    decided_by = models.CharField(max_length=145, null=True)
    decided_at = models.DateTimeField(null=True)
    comment = models.TextField(default="", blank=True)
    execute_after = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    heartbeat_at = models.DateTimeField(null=True)
    executed_at = models.DateTimeField(null=True)
    result = models.JSONField(null=True)
    assertion_id = models.CharField(max_length=40, null=True)
    error = models.JSONField(null=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        app_label = "gateway_proposals"
        db_table = "proposal"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["state", "id"], name="proposal_by_state"),
            models.Index(fields=["subject_id", "id"], name="proposal_by_subject"),
            models.Index(fields=["persona_id", "id"], name="proposal_by_persona"),
            models.Index(fields=["expires_at"], name="proposal_undecided", condition=Q(state="pending")),
            models.Index(
                fields=["execute_after"], name="proposal_due", condition=Q(state__in=["approved", "executing"])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id} {self.state}"
