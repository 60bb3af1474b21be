"""Capability tokens: what ends them early, the origins they are made for, and the version that revoked a key."""

import django.db.models.deletion
from django.db import migrations, models

import gateway.core.clock
import gateway.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0004_kill_switches"),
    ]

    operations = [
        migrations.AddField(
            model_name="apikeyrow",
            name="revoked_version",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="apikeyrow",
            name="token_epoch",
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.CreateModel(
            name="EndedTokenRow",
            fields=[
                ("id", models.UUIDField(default=gateway.core.ids.uuid7, primary_key=True, serialize=False)),
                ("token_id", models.UUIDField()),
                ("ended_at", models.DateTimeField(default=gateway.core.clock.now)),
                ("version", models.BigIntegerField(db_index=True, default=0)),
                (
                    "organization",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.organizationrow",
                    ),
                ),
            ],
            options={
                "db_table": "tenants_ended_token",
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "token_id"), name="tenants_ended_token_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="TokenOriginRow",
            fields=[
                ("id", models.UUIDField(default=gateway.core.ids.uuid7, primary_key=True, serialize=False)),
                ("origin", models.CharField(max_length=300)),
                ("used_at", models.DateTimeField(default=gateway.core.clock.now)),
                ("version", models.BigIntegerField(db_index=True, default=0)),
                (
                    "organization",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.organizationrow",
                    ),
                ),
            ],
            options={
                "db_table": "tenants_token_origin",
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "origin"), name="tenants_token_origin_once")
                ],
            },
        ),
    ]
