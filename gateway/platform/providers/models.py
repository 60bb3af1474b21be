"""Rows of providers. Private to this slice."""

from __future__ import annotations

from django.db import models

from gateway.core import clock, ids


class ProviderRow(models.Model):
    """One credential of the organization's own. ``name`` is what stands before the slash in a model's name."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    name = models.CharField(max_length=40, unique=True)
    kind = models.CharField(max_length=16)
    base_url = models.CharField(max_length=500)
    api_key_ciphertext = models.BinaryField()
    api_key_kid = models.CharField(max_length=64, db_index=True)
    last4 = models.CharField(max_length=4, default="")
    timeouts = models.JSONField(default=dict)
    state = models.CharField(max_length=16, default="active")
    created_at = models.DateTimeField(default=clock.now)
    rotated_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "gateway_providers"
        db_table = "provider"

    def __str__(self) -> str:
        return self.name


class AliasRow(models.Model):
    """A short name for a model, or for a ``route`` over several, whose first is ``model``. Models are always full
    names, ``provider/model``, so no alias leads to another."""

    alias = models.CharField(max_length=128, primary_key=True)
    model = models.CharField(max_length=256)
    route = models.JSONField(null=True)
    updated_at = models.DateTimeField(default=clock.now)

    class Meta:
        app_label = "gateway_providers"
        db_table = "provider_model_alias"

    def __str__(self) -> str:
        return self.alias
