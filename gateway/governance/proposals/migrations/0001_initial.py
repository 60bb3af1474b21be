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
            name="ProposalRow",
            fields=[
                ("id", models.UUIDField(default=gateway.core.ids.uuid7, primary_key=True, serialize=False)),
                ("type", models.CharField(max_length=64)),
                ("payload", models.JSONField()),
                ("diff", models.JSONField()),
                ("subject_id", models.CharField(max_length=128, null=True)),
                ("subject_pk", models.UUIDField(null=True)),
                ("persona_id", models.CharField(max_length=128, null=True)),
                ("conversation_id", models.UUIDField(null=True)),
                ("request_id", models.UUIDField(null=True)),
                ("provenance", models.JSONField()),
                ("confidence", models.FloatField()),
                ("state", models.CharField(max_length=16)),
                ("expires_at", models.DateTimeField()),
                ("decided_by", models.CharField(max_length=145, null=True)),
                ("decided_at", models.DateTimeField(null=True)),
                ("comment", models.TextField(blank=True, default="")),
                ("execute_after", models.DateTimeField(null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("heartbeat_at", models.DateTimeField(null=True)),
                ("executed_at", models.DateTimeField(null=True)),
                ("result", models.JSONField(null=True)),
                ("assertion_id", models.CharField(max_length=40, null=True)),
                ("error", models.JSONField(null=True)),
                ("created_at", models.DateTimeField(default=gateway.core.clock.now)),
            ],
            options={
                "db_table": "proposal",
                "indexes": [
                    models.Index(fields=["state", "id"], name="proposal_by_state"),
                    models.Index(fields=["subject_id", "id"], name="proposal_by_subject"),
                    models.Index(fields=["persona_id", "id"], name="proposal_by_persona"),
                    models.Index(
                        fields=["expires_at"], name="proposal_undecided", condition=models.Q(("state", "pending"))
                    ),
                    models.Index(
                        fields=["execute_after"],
                        name="proposal_due",
                        condition=models.Q(("state__in", ["approved", "executing"])),
                    ),
                ],
            },
        ),
    ]
