from django.db import migrations, models

import gateway.core.clock
import gateway.core.ids


class Migration(migrations.Migration):
    dependencies = [("gateway_personas", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="personaversionrow",
            name="made_from",
            field=models.CharField(db_default="", default="", max_length=128),
        ),
        migrations.CreateModel(
            name="PersonaDraftRow",
            fields=[
                (
                    "id",
                    models.UUIDField(default=gateway.core.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("slug", models.CharField(max_length=64)),
                ("cartridge", models.JSONField()),
                ("revision", models.IntegerField(default=1)),
                ("based_on", models.IntegerField(default=0)),
                ("made_from", models.CharField(db_default="", default="", max_length=128)),
                ("created_at", models.DateTimeField(default=gateway.core.clock.now)),
                ("updated_at", models.DateTimeField(default=gateway.core.clock.now)),
                ("updated_by", models.CharField(max_length=128)),
            ],
            options={
                "db_table": "persona_draft",
                "constraints": [models.UniqueConstraint(fields=("slug",), name="persona_draft_slug_unique")],
            },
        ),
        migrations.CreateModel(
            name="RelationshipRow",
            fields=[
                (
                    "id",
                    models.UUIDField(default=gateway.core.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("subject", models.UUIDField()),
                ("slug", models.CharField(max_length=64)),
                ("stage", models.SmallIntegerField(default=0)),
                ("turns", models.IntegerField(default=0)),
                ("locked", models.BooleanField(default=False)),
                ("since", models.DateTimeField(default=gateway.core.clock.now)),
                ("updated_at", models.DateTimeField(default=gateway.core.clock.now)),
            ],
            options={
                "db_table": "persona_relationship",
                "constraints": [
                    models.UniqueConstraint(fields=("subject", "slug"), name="persona_relationship_unique")
                ],
            },
        ),
    ]
