"""What was told about quotas and budgets, and providers' bills beside the ledger."""

from __future__ import annotations

from django.db import migrations, models

import gateway.core.clock
import gateway.core.ids


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="ReconciliationRow",
            fields=[
                ("id", models.UUIDField(default=gateway.core.ids.uuid7, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=gateway.core.clock.now)),
                ("created_by", models.CharField(max_length=160)),
                ("state", models.CharField(max_length=8)),
                ("provider", models.CharField(max_length=64)),
                ("export", models.CharField(max_length=16)),
                ("first", models.DateField(null=True)),
                ("last", models.DateField(null=True)),
                ("rows", models.IntegerField(default=0)),
                ("result", models.JSONField(null=True)),
                ("error", models.CharField(max_length=500, null=True)),
                ("source", models.BinaryField(null=True)),
            ],
            options={"db_table": "billing_reconciliation"},
        ),
        migrations.CreateModel(
            name="AlertRow",
            fields=[
                ("id", models.UUIDField(default=gateway.core.ids.uuid7, primary_key=True, serialize=False)),
                ("at", models.DateTimeField(default=gateway.core.clock.now)),
                ("what", models.CharField(max_length=32)),
                ("level", models.CharField(max_length=16)),
                ("of", models.CharField(max_length=128)),
                ("rule", models.CharField(max_length=64)),
                ("window", models.CharField(max_length=10)),
                ("threshold", models.SmallIntegerField()),
                ("limit", models.BigIntegerField()),
                ("used", models.BigIntegerField()),
            ],
            options={
                "db_table": "billing_alert",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("window", "what", "level", "of", "rule", "threshold"), name="billing_alert_once"
                    )
                ],
            },
        ),
    ]
