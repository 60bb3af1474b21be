"""Rows of policies. Private to this slice."""

from __future__ import annotations

from django.db import models

from gateway.core import clock, ids


class OverlayRow(models.Model):
    """One overlay. ``target`` is empty for the organization, else the team, subject or conversation it is for."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    level = models.CharField(max_length=8)
    target = models.CharField(max_length=128, default="")
    locks = models.JSONField(default=dict)
    defaults = models.JSONField(default=dict)
    precedence = models.SmallIntegerField(default=50)
    version = models.IntegerField(default=0)
    updated_at = models.DateTimeField(default=clock.now)
    updated_by = models.CharField(max_length=128, default="")

    class Meta:
        app_label = "gateway_policies"
        db_table = "policy_overlay"
        constraints = [models.UniqueConstraint(fields=["level", "target"], name="policy_overlay_target_unique")]
