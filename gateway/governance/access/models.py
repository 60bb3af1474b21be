"""Rows of access. Private to this slice."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from gateway.core import clock, ids


class TeamRow(models.Model):
    """One team. ``team_id`` is the organization's own word for it; keys, subjects and overlays name it so."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    team_id = models.CharField(max_length=64)
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=500, default="")
    created_at = models.DateTimeField(default=clock.now)
    created_by = models.CharField(max_length=128, default="")

    class Meta:
        app_label = "gateway_access"
        db_table = "access_team"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["team_id"], name="access_team_id_unique")
        ]

    def __str__(self) -> str:
        return self.team_id
