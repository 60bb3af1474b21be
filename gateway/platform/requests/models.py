"""The decision records of one organization, and the bodies it chose to keep. Private to the slice."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from gateway.platform.requests.types import DEAR_MICROS, SLOW_MS


class RequestRow(models.Model):
    """One request, or one refusal. What is null was not known, or the row is older than its column.

    ``written_us`` is when it was written, in microseconds, larger than that of everything written before.
    """

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
    kind = models.CharField(max_length=16, default="request", db_default="request")
    user_id = models.CharField(max_length=40, null=True)
    provider = models.CharField(max_length=64, null=True)
    outcome = models.CharField(max_length=64, null=True)
    latency_ms = models.IntegerField(null=True)
    charged_micros = models.BigIntegerField(null=True)
    cached = models.BooleanField(null=True)
    parent_id = models.UUIDField(null=True)
    written_us = models.BigIntegerField(null=True)

    class Meta:
        app_label = "gateway_requests"
        db_table = "request_record"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["key_id", "id"], name="request_record_by_key"),
            models.Index(fields=["subject_id", "id"], name="request_record_by_subject"),
            models.Index(fields=["status", "id"], name="request_record_by_status"),
            models.Index(fields=["occurred_at"], name="request_record_by_time"),
            models.Index(fields=["user_id", "id"], name="request_record_by_user", condition=Q(user_id__isnull=False)),
            models.Index(fields=["persona_id", "id"], name="request_record_by_persona"),
            models.Index(fields=["model", "id"], name="request_record_by_model"),
            models.Index(fields=["outcome", "id"], name="request_record_by_code"),
            models.Index(fields=["parent_id"], name="request_record_by_parent", condition=Q(parent_id__isnull=False)),
            models.Index(fields=["written_us"], name="request_record_by_writing"),
            # What people search for is rare: each of these finds it in order, without reading what is not it.
            models.Index(fields=["id"], name="request_record_errors", condition=Q(status__gte=400)),
            models.Index(fields=["id"], name="request_record_slow", condition=Q(latency_ms__gte=SLOW_MS)),
            models.Index(fields=["id"], name="request_record_dear", condition=Q(charged_micros__gte=DEAR_MICROS)),
            models.Index(fields=["id"], name="request_record_shadowed", condition=Q(record__has_key="shadow")),
        ]

    def __str__(self) -> str:
        return f"{self.surface} {self.id}"


class BodyRow(models.Model):
    """One kept body, masked and sealed. ``size`` is in bytes, before it was cut; ``headers`` are those that addressed
    the request."""

    id = models.UUIDField(primary_key=True)
    request_id = models.UUIDField()
    part = models.CharField(max_length=8)
    path = models.CharField(max_length=200)
    headers = models.JSONField(default=dict)
    content_type = models.CharField(max_length=100)
    size = models.IntegerField()
    truncated = models.BooleanField()
    body_ciphertext = models.BinaryField()
    body_kid = models.CharField(max_length=64)
    persona_id = models.CharField(max_length=128, null=True)
    subject_id = models.CharField(max_length=128, null=True)
    expires_at = models.DateTimeField()

    class Meta:
        app_label = "gateway_requests"
        db_table = "request_body"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["request_id", "part"], name="request_body_once")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["expires_at"], name="request_body_by_expiry"),
            models.Index(
                fields=["subject_id"], name="request_body_by_subject", condition=models.Q(subject_id__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.part} of {self.request_id}"
