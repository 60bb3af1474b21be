"""Rows of policies. Private to this slice."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from gateway.core import clock, ids
from gateway.governance.policies.terms import Mode


class OverlayRow(models.Model):
    """The overlay of one level and target. ``target`` is empty for the organization, else the team, subject or
    conversation it is for. A deleted one stays as an empty row, so that its versions go on counting.

    The one in shadow is in columns of its own, with its own version: code that does not look at them, an older
    worker's too, cannot put it in force. ``shadow`` holds ``locks``, ``defaults`` and ``precedence``; null: there is
    none. Version 0 is an overlay that was never written, because only its shadow was."""

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
    shadow = models.JSONField(null=True)
    shadow_version = models.IntegerField(default=0, db_default=0)
    shadow_updated_at = models.DateTimeField(null=True)
    shadow_updated_by = models.CharField(max_length=128, default="", db_default="")

    class Meta:
        app_label = "gateway_policies"
        db_table = "policy_overlay"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["level", "target"], name="policy_overlay_target_unique")
        ]

    def __str__(self) -> str:
        return f"{self.level}:{self.target}"


class VersionRow(models.Model):
    """One version of an overlay, in force or in shadow, as it was written. Never changed."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    overlay = models.ForeignKey(OverlayRow, on_delete=models.CASCADE, db_index=False, related_name="+")
    mode = models.CharField(max_length=8, default=Mode.ENFORCE, db_default=Mode.ENFORCE)
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
            models.UniqueConstraint(fields=["overlay", "mode", "version"], name="policy_overlay_version_of_mode")
        ]

    def __str__(self) -> str:
        return f"{self.overlay_id}@{self.version}"
