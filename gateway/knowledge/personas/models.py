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
    """One published version. Never updated. ``draft_revision`` is the revision of the draft that became it, null where
    it was published without one."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    persona = models.ForeignKey(PersonaRow, on_delete=models.CASCADE, related_name="versions", db_index=False)
    version = models.IntegerField()
    cartridge = models.JSONField()
    digest = models.CharField(max_length=80)
    published_at = models.DateTimeField(default=clock.now)
    created_by = models.CharField(max_length=128)
    made_from = models.CharField(max_length=128, default="", db_default="")
    draft_revision = models.IntegerField(null=True)

    class Meta:
        app_label = "gateway_personas"
        db_table = "persona_version"
        constraints = [models.UniqueConstraint(fields=["persona", "version"], name="persona_version_unique")]


class PersonaDraftRow(models.Model):
    """What is being written for a persona's next version, or for its first: there need not be a persona yet. At most
    one per persona; ``revision`` counts its saves, ``based_on`` is the version it began from (0: none)."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    slug = models.CharField(max_length=64)
    cartridge = models.JSONField()
    revision = models.IntegerField(default=1)
    based_on = models.IntegerField(default=0)
    made_from = models.CharField(max_length=128, default="", db_default="")
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)
    updated_by = models.CharField(max_length=128)

    class Meta:
        app_label = "gateway_personas"
        db_table = "persona_draft"
        constraints = [models.UniqueConstraint(fields=["slug"], name="persona_draft_slug_unique")]


class RelationshipRow(models.Model):
    """How well a subject and a persona know each other. ``subject`` is the subject's row, ``slug`` the persona's id:
    both by value, because neither belongs to the other. ``stage`` is its place in ``types.STAGES``."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    subject = models.UUIDField()
    slug = models.CharField(max_length=64)
    stage = models.SmallIntegerField(default=0)
    turns = models.IntegerField(default=0)
    locked = models.BooleanField(default=False)
    since = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)

    class Meta:
        app_label = "gateway_personas"
        db_table = "persona_relationship"
        constraints = [models.UniqueConstraint(fields=["subject", "slug"], name="persona_relationship_unique")]
