"""Rows of policies. Private to this slice."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from gateway.core import clock, ids


class OverlayRow(models.Model):
    """One overlay. ``target`` is empty for the organization, else the team, subject or conversation it is for. A
    deleted one stays as an empty row, so that its versions go on counting."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    level = models.CharField(max_length=8)
    target = models.CharField(max_length=128, default="")
    locks = models.JSONField(default=dict)
    defaults = models.JSONField(default=dict)
    precedence = models.SmallIntegerField(default=50)
    version = models.IntegerField(default=0)
    updated_at = models.DateTimeField(default=clock.now)
    updated_by = models.CharField(max_length=128, default="")
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "gateway_policies"
        db_table = "policy_overlay"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["level", "target"], name="policy_overlay_target_unique")
        ]

    def __str__(self) -> str:
        return f"{self.level}:{self.target}"


class VersionRow(models.Model):
    """One version of an overlay, as it was written. Never changed."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    overlay = models.ForeignKey(OverlayRow, on_delete=models.CASCADE, db_index=False, related_name="+")
    version = models.IntegerField()
    locks = models.JSONField(default=dict)
    defaults = models.JSONField(default=dict)
    precedence = models.SmallIntegerField(default=50)
    changed = models.JSONField(default=list)
    deleted = models.BooleanField(default=False)
    written_at = models.DateTimeField(default=clock.now)
    written_by = models.CharField(max_length=128, default="")

    class Meta:
        app_label = "gateway_policies"
        db_table = "policy_overlay_version"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["overlay", "version"], name="policy_overlay_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.overlay_id}@{self.version}"
