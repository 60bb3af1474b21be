"""Overlays of every level: what each version said, and deletion that keeps counting versions."""

import django.db.models.deletion
from django.db import migrations, models

import gateway.core.clock
import gateway.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("gateway_policies", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="overlayrow",
            name="deleted_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name="VersionRow",
            fields=[
                (
                    "id",
                    models.UUIDField(default=gateway.core.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("version", models.IntegerField()),
                ("locks", models.JSONField(default=dict)),
                ("defaults", models.JSONField(default=dict)),
                ("precedence", models.SmallIntegerField(default=50)),
                ("changed", models.JSONField(default=list)),
                ("deleted", models.BooleanField(default=False)),
                ("written_at", models.DateTimeField(default=gateway.core.clock.now)),
                ("written_by", models.CharField(default="", max_length=128)),
                (
                    "overlay",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="gateway_policies.overlayrow",
                    ),
                ),
            ],
            options={
                "db_table": "policy_overlay_version",
                "constraints": [
                    models.UniqueConstraint(fields=("overlay", "version"), name="policy_overlay_version_once")
                ],
            },
        ),
    ]
