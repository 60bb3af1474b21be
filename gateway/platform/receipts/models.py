"""Receipts and the keys that signed them. Private to the slice."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from gateway.core import clock, ids


class ReceiptRow(models.Model):
    """``document`` is the signed text itself, so that it verifies for ever. ``source`` is what it was issued for (an
    operation, an organization): once each. ``user_id`` is the person who may see it when the organization is gone."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    org_id = models.UUIDField()
    kind = models.CharField(max_length=64)
    subject_id = models.CharField(max_length=128, null=True)
    user_id = models.UUIDField(null=True)
    source = models.UUIDField()
    issued_at = models.DateTimeField(default=clock.now)
    document = models.TextField()
    kid = models.CharField(max_length=64)
    signature = models.BinaryField()

    class Meta:
        app_label = "gateway_receipts"
        db_table = "receipt"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["org_id", "kind", "source"], name="receipt_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["org_id", "id"], name="receipt_by_org"),
            models.Index(fields=["user_id", "id"], name="receipt_by_user", condition=models.Q(user_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return ids.public("rcp", self.id)


class ReceiptKeyRow(models.Model):
    """A public key that signed a receipt. Never deleted: what it signed must verify when its ring key is gone."""

    kid = models.CharField(max_length=64, primary_key=True)
    public_key = models.BinaryField()
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        app_label = "gateway_receipts"
        db_table = "receipt_key"

    def __str__(self) -> str:
        return self.kid
