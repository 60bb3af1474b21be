"""Rows of subjects. Private to this slice."""

from __future__ import annotations

from django.db import models

from gateway.core import clock, ids
from gateway.knowledge.subjects.types import MAX_SUBJECT_ID


class SubjectRow(models.Model):
    """One subject. Display fields come with the Memory Vault."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    subject_id = models.CharField(max_length=MAX_SUBJECT_ID)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        app_label = "gateway_subjects"
        db_table = "subject"
        constraints = [models.UniqueConstraint(fields=["subject_id"], name="subject_id_unique")]
