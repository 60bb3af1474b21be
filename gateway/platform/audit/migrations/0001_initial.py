from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation

import gateway.core.ids


class Migration(migrations.Migration):
    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = []
    operations: ClassVar[list[Operation]] = [
        migrations.CreateModel(
            name="AuditRow",
            fields=[
                ("id", models.UUIDField(default=gateway.core.ids.uuid7, primary_key=True, serialize=False)),
                ("occurred_at", models.DateTimeField()),
                ("action", models.CharField(max_length=64)),
                ("actor_kind", models.CharField(max_length=16)),
                ("actor_id", models.CharField(max_length=128)),
                ("target", models.CharField(max_length=256)),
                ("subject_id", models.CharField(max_length=128, null=True)),
                ("persona_id", models.CharField(max_length=128, null=True)),
                ("request_id", models.UUIDField(null=True)),
                ("provenance", models.JSONField(null=True)),
                ("detail", models.JSONField(default=dict)),
                ("content_hash", models.BinaryField()),
                ("seq", models.BigIntegerField(null=True)),
                ("prev_hash", models.BinaryField(null=True)),
                ("chain_hash", models.BinaryField(null=True)),
            ],
            options={
                "db_table": "audit_entry",
                "constraints": [models.UniqueConstraint(fields=("seq",), name="audit_entry_seq_once")],
                "indexes": [
                    models.Index(fields=["id"], name="audit_entry_unsealed", condition=models.Q(("seq__isnull", True))),
                    models.Index(
                        fields=["action", "id"],
                        name="audit_entry_by_action",
                        opclasses=["varchar_pattern_ops", "uuid_ops"],
                    ),
                    models.Index(fields=["subject_id", "id"], name="audit_entry_by_subject"),
                    models.Index(fields=["persona_id", "id"], name="audit_entry_by_persona"),
                    models.Index(fields=["actor_id", "id"], name="audit_entry_by_actor"),
                    models.Index(fields=["occurred_at"], name="audit_entry_by_time"),
                ],
            },
        ),
    ]
