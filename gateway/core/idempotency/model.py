"""The columns of a claim."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class ClaimModel(models.Model):
    """One key of one caller. While the work runs its lease is renewed; a lapsed one is a worker that died. The answer
    is sealed, because it may show a secret once."""

    id = models.CharField(max_length=64, primary_key=True)
    fingerprint = models.CharField(max_length=64)
    request_id = models.UUIDField()
    state = models.CharField(max_length=16)
    lease_until = models.DateTimeField()
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())
    answer_ciphertext = models.BinaryField(null=True)
    answer_kid = models.CharField(max_length=64, default="", db_default="")

    class Meta:
        abstract = True
