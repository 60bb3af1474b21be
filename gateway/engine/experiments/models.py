"""Rows of experiments. Private to this slice."""

from __future__ import annotations

from django.db import models

from gateway.core import clock, ids
from gateway.engine.experiments.types import MAX_NAME


class ExperimentRow(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    persona_id = models.CharField(max_length=64)
    name = models.CharField(max_length=MAX_NAME)
    version_a = models.IntegerField()
    version_b = models.IntegerField()
    share_percent = models.SmallIntegerField()
    started_at = models.DateTimeField(default=clock.now)
    started_by = models.CharField(max_length=145)
    stopped_at = models.DateTimeField(null=True)
    stopped_by = models.CharField(max_length=145, null=True)
    kept = models.CharField(max_length=1, null=True)

    class Meta:
        app_label = "gateway_experiments"
        db_table = "persona_experiment"
        constraints = [
            models.UniqueConstraint(
                fields=["persona_id"], condition=models.Q(stopped_at=None), name="persona_experiment_one_running"
            )
        ]
        indexes = [models.Index(fields=["persona_id", "id"], name="persona_experiment_listed")]
