from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation

import gateway.core.clock
import gateway.core.ids


class Migration(migrations.Migration):
    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = []
    operations: ClassVar[list[Operation]] = [
        migrations.CreateModel(
            name="OperationRow",
            fields=[
                ("id", models.UUIDField(default=gateway.core.ids.uuid7, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=64)),
                ("state", models.CharField(max_length=16)),
                ("progress_done", models.BigIntegerField(default=0)),
                ("progress_total", models.BigIntegerField(null=True)),
                ("payload", models.JSONField(default=dict)),
                ("checkpoint", models.JSONField(null=True)),
                ("result", models.JSONField(null=True)),
                ("error", models.JSONField(null=True)),
                ("created_by", models.CharField(max_length=145)),
                ("request_id", models.UUIDField(null=True)),
                ("lease_id", models.UUIDField(null=True)),
                ("heartbeat_at", models.DateTimeField()),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=gateway.core.clock.now)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "operation",
                "indexes": [
                    models.Index(
                        fields=["heartbeat_at"],
                        name="operation_unfinished",
                        condition=models.Q(("state__in", ["queued", "running", "cancelling"])),
                    ),
                    models.Index(fields=["created_by", "id"], name="operation_by_creator"),
                ],
            },
        ),
    ]
