"""The operator's kill switches, which every worker holds in memory."""

from django.db import migrations, models

import gateway.core.clock


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0003_own_limits"),
    ]

    operations = [
        migrations.CreateModel(
            name="KillSwitchRow",
            fields=[
                ("flag", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("killed_at", models.DateTimeField(null=True)),
                ("reason", models.CharField(max_length=500)),
                ("changed_by", models.CharField(max_length=145)),
                ("changed_at", models.DateTimeField(default=gateway.core.clock.now)),
                ("version", models.BigIntegerField(db_default=0, db_index=True, default=0)),
            ],
            options={
                "db_table": "tenants_kill_switch",
            },
        ),
    ]
