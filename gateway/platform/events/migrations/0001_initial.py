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
            name="EventRow",
            fields=[
                ("id", models.UUIDField(default=gateway.core.ids.uuid7, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=64)),
                ("version", models.SmallIntegerField()),
                ("payload", models.JSONField()),
                ("subject_id", models.CharField(max_length=128, null=True)),
                ("persona_id", models.CharField(max_length=128, null=True)),
                ("created_at", models.DateTimeField(default=gateway.core.clock.now)),
            ],
            options={
                "db_table": "event",
                "indexes": [
                    models.Index(fields=["name", "id"], name="event_by_name"),
                    models.Index(fields=["subject_id", "id"], name="event_by_subject"),
                ],
            },
        ),
    ]
