"""Rows of documents. Private to this slice; ``memory_id`` names a memory without a foreign key."""

from __future__ import annotations

from django.db import models

from gateway.core import clock, ids
from gateway.engine.documents.types import MAX_NAME, State


class DocumentRow(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    name = models.CharField(max_length=MAX_NAME)
    media_type = models.CharField(max_length=64)
    size = models.IntegerField()
    digest = models.CharField(max_length=64)
    state = models.CharField(max_length=16, default=State.PENDING)
    pages = models.IntegerField(null=True)
    passages = models.IntegerField(default=0)
    error = models.JSONField(null=True)
    operation_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(default=clock.now)
    created_by = models.CharField(max_length=145)
    indexed_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "gateway_documents"
        db_table = "document"
        constraints = [models.UniqueConstraint(fields=["digest"], name="document_content_once")]


class DocumentPart(models.Model):
    """The document's bytes from ``position`` mebibytes on."""

    pk = models.CompositePrimaryKey("document_id", "position")
    document = models.ForeignKey(DocumentRow, on_delete=models.CASCADE, related_name="parts", db_index=False)
    position = models.IntegerField()
    data = models.BinaryField()

    class Meta:
        app_label = "gateway_documents"
        db_table = "document_part"


class DocumentPassage(models.Model):
    """Which memory a passage is. Two documents that say the same in the same words share it."""

    pk = models.CompositePrimaryKey("document_id", "position")
    document = models.ForeignKey(DocumentRow, on_delete=models.CASCADE, related_name="cut", db_index=False)
    position = models.IntegerField()
    page = models.IntegerField(null=True)
    heading = models.CharField(max_length=512, null=True)
    memory_id = models.UUIDField()

    class Meta:
        app_label = "gateway_documents"
        db_table = "document_passage"
        indexes = [models.Index(fields=["memory_id"], name="document_passage_memory")]
