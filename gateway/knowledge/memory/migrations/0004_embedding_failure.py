from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway_memory", "0003_history"),
    ]

    operations = [
        migrations.CreateModel(
            name="EmbeddingFailure",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "memory_id", "model_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("memory_id", models.UUIDField()),
                ("model_id", models.CharField(max_length=128)),
                ("subject_pk", models.UUIDField()),
                ("code", models.CharField(max_length=64)),
                ("tries", models.SmallIntegerField()),
                ("failed_at", models.DateTimeField()),
            ],
            options={
                "db_table": "memory_embedding_failure",
                "indexes": [models.Index(fields=["subject_pk"], name="memory_embedding_failed")],
            },
        ),
    ]
