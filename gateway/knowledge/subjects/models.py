"""Rows of subjects. Private to this slice."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from gateway.core import clock, ids
from gateway.knowledge.subjects.types import MAX_DISPLAY_NAME, MAX_SUBJECT_ID


class SubjectRow(models.Model):
    """One subject. While ``erasing_at`` is set it is being erased by the operation ``erasure_id``: nobody finds it, and
    nothing may be written about it."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    subject_id = models.CharField(max_length=MAX_SUBJECT_ID)
    created_at = models.DateTimeField(default=clock.now)
    display_name = models.CharField(max_length=MAX_DISPLAY_NAME, null=True)
    attributes = models.JSONField(default=dict, db_default={})
    team_ids = ArrayField(models.CharField(max_length=64), default=list, db_default=[])
    updated_at = models.DateTimeField(null=True)
    erasing_at = models.DateTimeField(null=True)
    erasure_id = models.UUIDField(null=True)

    class Meta:
        app_label = "gateway_subjects"
        db_table = "subject"
        constraints = [models.UniqueConstraint(fields=["subject_id"], name="subject_id_unique")]

    def __str__(self) -> str:
        return self.subject_id


class ErasureRow(models.Model):
    """A subject that was erased, until nothing that began before can write about it any more."""

    subject_pk = models.UUIDField(primary_key=True)
    subject_id = models.CharField(max_length=MAX_SUBJECT_ID)
    erased_at = models.DateTimeField(default=clock.now)

    class Meta:
        app_label = "gateway_subjects"
        db_table = "subject_erasure"
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["erased_at"], name="subject_erasure_by_time")]

    def __str__(self) -> str:
        return str(self.subject_pk)
