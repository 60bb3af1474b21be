"""The table of the operator's kill switches (``tenants.killswitch``)."""

from __future__ import annotations

from django.db import models

from gateway.core import clock


class KillSwitchRow(models.Model):
    """A flag that the operator turned off for everybody; ``killed_at`` is None once it was revived."""

    flag = models.CharField(primary_key=True, max_length=64)
    killed_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500)
    changed_by = models.CharField(max_length=145)
    changed_at = models.DateTimeField(default=clock.now)
    version = models.BigIntegerField(default=0, db_default=0, db_index=True)

    class Meta:
        app_label = "tenants"
        db_table = "tenants_kill_switch"

    def __str__(self) -> str:
        return self.flag
