"""The organization's alerts and reconciliations. Private to the slice. Plans leave their history in the audit."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from gateway.core import clock, ids


class AlertRow(models.Model):
    """That a threshold was reached, once per window. ``of`` is whose it is (a key's, person's or subject's id, empty
    for the organization), ``rule`` which limit."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    at = models.DateTimeField(default=clock.now)
    what = models.CharField(max_length=32)
    level = models.CharField(max_length=16)
    of = models.CharField(max_length=128)
    rule = models.CharField(max_length=64)
    window = models.CharField(max_length=10)
    threshold = models.SmallIntegerField()
    limit = models.BigIntegerField()
    used = models.BigIntegerField()

    class Meta:
        app_label = "gateway_billing"
        db_table = "billing_alert"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["window", "what", "level", "of", "rule", "threshold"], name="billing_alert_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.threshold} % of {self.what} in {self.window}"


class ReconciliationRow(models.Model):
    """One provider's export and what came of it. ``source`` is the file while it waits for a worker."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    created_at = models.DateTimeField(default=clock.now)
    created_by = models.CharField(max_length=160)
    state = models.CharField(max_length=8)
    provider = models.CharField(max_length=64)
    export = models.CharField(max_length=16)
    first = models.DateField(null=True)
    last = models.DateField(null=True)
    rows = models.IntegerField(default=0)
    result = models.JSONField(null=True)
    error = models.CharField(max_length=500, null=True)
    source = models.BinaryField(null=True)

    class Meta:
        app_label = "gateway_billing"
        db_table = "billing_reconciliation"

    def __str__(self) -> str:
        return f"{self.provider} {self.first} to {self.last}"
