from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = []
    operations: ClassVar[list[Operation]] = [
        migrations.CreateModel(
            name="RequestRow",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("occurred_at", models.DateTimeField()),
                ("surface", models.CharField(max_length=32)),
                ("status", models.SmallIntegerField()),
                ("state", models.CharField(max_length=16)),
                ("record", models.JSONField(default=dict)),
                ("key_id", models.CharField(max_length=40, null=True)),
                ("persona_id", models.CharField(max_length=128, null=True)),
                ("subject_id", models.CharField(max_length=128, null=True)),
                ("model", models.CharField(max_length=128, null=True)),
            ],
            options={
                "db_table": "request_record",
                "indexes": [
                    models.Index(fields=["key_id", "id"], name="request_record_by_key"),
                    models.Index(fields=["subject_id", "id"], name="request_record_by_subject"),
                    models.Index(fields=["status", "id"], name="request_record_by_status"),
                    models.Index(fields=["occurred_at"], name="request_record_by_time"),
                ],
            },
        ),
    ]
