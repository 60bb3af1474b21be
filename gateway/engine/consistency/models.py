"""Rows of golden prompts and their runs. Private to this slice; a persona goes by its id."""

from __future__ import annotations

from django.db import models

from gateway.core import clock, ids
from gateway.engine.consistency.types import DEFAULT_MODEL, DEFAULT_TOLERANCE, State


class GoldenSetRow(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    persona_id = models.CharField(max_length=64, unique=True)
    prompts = models.JSONField()
    model = models.CharField(max_length=200, default=DEFAULT_MODEL)
    judge_model = models.CharField(max_length=200, null=True)
    tolerance_percent = models.SmallIntegerField(default=DEFAULT_TOLERANCE)
    nightly = models.BooleanField(default=False)
    required = models.BooleanField(default=False)
    revision = models.IntegerField(default=0)
    updated_at = models.DateTimeField(default=clock.now)
    updated_by = models.CharField(max_length=145)

    class Meta:
        app_label = "gateway_consistency"
        db_table = "persona_golden_set"


class RunRow(models.Model):
    """``version`` is null for a draft; ``night`` is the night a nightly run belongs to, so that there is one;
    ``asked_digest`` is of what was asked, and of whom."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    persona_id = models.CharField(max_length=64)
    version = models.IntegerField(null=True)
    cartridge = models.JSONField(null=True)
    digest = models.CharField(max_length=80)
    reason = models.CharField(max_length=16)
    night = models.DateField(null=True)
    state = models.CharField(max_length=16, default=State.RUNNING)
    prompts = models.JSONField()
    model = models.CharField(max_length=200)
    judge_model = models.CharField(max_length=200, null=True)
    tolerance_percent = models.SmallIntegerField()
    asked_digest = models.CharField(max_length=80, default="", db_default="")
    asked = models.SmallIntegerField(default=0)
    replies = models.JSONField(default=list)
    similarity = models.FloatField(null=True)
    rubric = models.FloatField(null=True)
    judge = models.FloatField(null=True)
    consistency = models.FloatField(null=True)
    missing = models.JSONField(default=list, db_default=[])
    error = models.JSONField(null=True)
    operation_id = models.UUIDField(null=True)
    started_at = models.DateTimeField(default=clock.now)
    started_by = models.CharField(max_length=145)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "gateway_consistency"
        db_table = "persona_consistency_run"
        indexes = [
            models.Index(fields=["persona_id", "id"], name="consistency_run_listed"),
            models.Index(fields=["persona_id", "digest"], name="consistency_run_digest"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["persona_id", "night"], name="consistency_run_one_a_night"),
        ]
