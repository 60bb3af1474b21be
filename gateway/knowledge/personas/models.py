"""Rows of personas. Private to this slice."""

from __future__ import annotations

from django.db import models

from gateway.core import clock, ids


class PersonaRow(models.Model):
    """One persona; its row's lock is what gives every publish a number of its own."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    slug = models.CharField(max_length=64)
    current_version = models.IntegerField(default=1)
    created_at = models.DateTimeField(default=clock.now)
    archived_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "gateway_personas"
        db_table = "persona"
        constraints = [models.UniqueConstraint(fields=["slug"], name="persona_slug_unique")]


class PersonaVersionRow(models.Model):
    """One published version. Never updated."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    persona = models.ForeignKey(PersonaRow, on_delete=models.CASCADE, related_name="versions", db_index=False)
    version = models.IntegerField()
    cartridge = models.JSONField()
    digest = models.CharField(max_length=80)
    published_at = models.DateTimeField(default=clock.now)
    created_by = models.CharField(max_length=128)

    class Meta:
        app_label = "gateway_personas"
        db_table = "persona_version"
        constraints = [models.UniqueConstraint(fields=["persona", "version"], name="persona_version_unique")]
