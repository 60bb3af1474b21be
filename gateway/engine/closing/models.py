"""The pieces of an organization's exports. Private to the slice."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from gateway.core import clock, ids


class ExportPieceRow(models.Model):
    """So many bytes of a gzip file; all of an operation's, by number, are the file. In the database, because that is
    what all workers and web processes have in common, and the schema's end is theirs too."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    operation_id = models.UUIDField()
    number = models.IntegerField()
    data = models.BinaryField()
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        app_label = "gateway_closing"
        db_table = "organization_export"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["operation_id", "number"], name="organization_export_piece_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["created_at"], name="organization_export_age")]

    def __str__(self) -> str:
        return f"{self.number} of {ids.public('op', self.operation_id)}"
