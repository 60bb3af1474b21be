"""Teams: names for parts of an organization that overlays, keys and subjects refer to."""

from django.db import migrations, models

import gateway.core.clock
import gateway.core.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="TeamRow",
            fields=[
                (
                    "id",
                    models.UUIDField(default=gateway.core.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("team_id", models.CharField(max_length=64)),
                ("name", models.CharField(max_length=80)),
                ("description", models.CharField(default="", max_length=500)),
                ("created_at", models.DateTimeField(default=gateway.core.clock.now)),
                ("created_by", models.CharField(default="", max_length=128)),
            ],
            options={
                "db_table": "access_team",
                "constraints": [models.UniqueConstraint(fields=("team_id",), name="access_team_id_unique")],
            },
        ),
    ]
