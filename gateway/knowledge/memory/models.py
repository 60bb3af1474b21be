"""Rows of memory. Private to this slice; ``subject_pk`` names a subject without a foreign key, the slices being
strangers."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from gateway.core import clock, ids
from gateway.knowledge.memory.types import MAX_NAME, MAX_REF, Status, Visibility


class SubjectState(models.Model):
    """One row per subject with memories. Its lock serializes writers; ``version`` rises with every visible change."""

    subject_pk = models.UUIDField(primary_key=True)
    subject_id = models.CharField(max_length=MAX_NAME)
    version = models.BigIntegerField(default=0)
    count = models.IntegerField(default=0)
    next_sitting = models.IntegerField(default=1)

    class Meta:
        app_label = "gateway_memory"
        db_table = "memory_subject"


class MemoryRow(models.Model):
    """One memory. ``sitting`` is unique per subject: a stretch of one thread without a gap of an hour."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    subject_pk = models.UUIDField()
    persona_id = models.CharField(max_length=MAX_NAME, null=True)
    type = models.CharField(max_length=32)
    slot = models.CharField(max_length=MAX_NAME, null=True)
    body = models.TextField()
    value = models.JSONField(null=True)
    speaker = models.CharField(max_length=MAX_NAME, null=True)
    thread_id = models.CharField(max_length=MAX_NAME, null=True)
    sitting = models.IntegerField()
    occurred_at = models.DateTimeField()
    valid_from = models.DateTimeField(null=True)
    valid_to = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField(default=clock.now)
    retired_at = models.DateTimeField(null=True)
    superseded_by = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    status = models.CharField(max_length=16, default=Status.ACTIVE)
    confidence = models.FloatField(default=1.0)
    trust = models.SmallIntegerField()
    scope = models.CharField(max_length=16, default=Visibility.PRIVATE)
    memory_scope = models.CharField(max_length=MAX_NAME)
    source_kinds = ArrayField(models.CharField(max_length=MAX_NAME))
    expires_at = models.DateTimeField(null=True)
    forgotten_at = models.DateTimeField(null=True)
    content_hash = models.BinaryField(max_length=32)
    n_tok = models.IntegerField()
    created_by = models.CharField(max_length=MAX_NAME)
    proposal_id = models.UUIDField(null=True)

    class Meta:
        app_label = "gateway_memory"
        db_table = "memory"
        constraints = [
            models.UniqueConstraint(
                fields=["subject_pk", "content_hash"],
                condition=models.Q(status=Status.ACTIVE),
                name="memory_content_once",
            )
        ]
        indexes = [
            models.Index(fields=["subject_pk", "id"], name="memory_subject_listed"),
            models.Index(
                fields=["subject_pk", "thread_id", "occurred_at"],
                condition=models.Q(thread_id__isnull=False),
                name="memory_thread_timeline",
            ),
        ]


class MemorySource(models.Model):
    """One place a memory came from. ``ref`` is empty when the source gave none; ``position`` 0 is the one that is
    cited."""

    pk = models.CompositePrimaryKey("memory_id", "source", "ref")
    memory = models.ForeignKey(MemoryRow, on_delete=models.CASCADE, related_name="sources", db_index=False)
    source = models.CharField(max_length=MAX_NAME)
    ref = models.CharField(max_length=MAX_REF, default="")
    snippet = models.TextField(null=True)
    position = models.SmallIntegerField(default=0)
    observed_at = models.DateTimeField()

    class Meta:
        app_label = "gateway_memory"
        db_table = "memory_source"


class MemoryToken(models.Model):
    """BM25 postings: how often a lexeme stands in a memory, and how long that is. A forgotten memory has none."""

    pk = models.CompositePrimaryKey("subject_pk", "lexeme", "memory_id")
    subject_pk = models.UUIDField()
    lexeme = models.TextField()
    memory_id = models.UUIDField()
    tf = models.SmallIntegerField()
    n_tok = models.SmallIntegerField()

    class Meta:
        app_label = "gateway_memory"
        db_table = "memory_token"
