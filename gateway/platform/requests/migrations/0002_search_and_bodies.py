from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("gateway_requests", "0001_initial")]
    operations: ClassVar[list[Operation]] = [
        migrations.AddField(
            "requestrow", "kind", models.CharField(db_default="request", default="request", max_length=16)
        ),
        migrations.AddField("requestrow", "user_id", models.CharField(max_length=40, null=True)),
        migrations.AddField("requestrow", "provider", models.CharField(max_length=64, null=True)),
        migrations.AddField("requestrow", "outcome", models.CharField(max_length=64, null=True)),
        migrations.AddField("requestrow", "latency_ms", models.IntegerField(null=True)),
        migrations.AddField("requestrow", "charged_micros", models.BigIntegerField(null=True)),
        migrations.AddField("requestrow", "cached", models.BooleanField(null=True)),
        migrations.AddField("requestrow", "parent_id", models.UUIDField(null=True)),
        migrations.AddField("requestrow", "written_us", models.BigIntegerField(null=True)),
        migrations.AddIndex(
            "requestrow",
            models.Index(
                fields=["user_id", "id"],
                name="request_record_by_user",
                condition=models.Q(("user_id__isnull", False)),
            ),
        ),
        migrations.AddIndex("requestrow", models.Index(fields=["persona_id", "id"], name="request_record_by_persona")),
        migrations.AddIndex("requestrow", models.Index(fields=["model", "id"], name="request_record_by_model")),
        migrations.AddIndex("requestrow", models.Index(fields=["outcome", "id"], name="request_record_by_code")),
        migrations.AddIndex(
            "requestrow",
            models.Index(
                fields=["parent_id"],
                name="request_record_by_parent",
                condition=models.Q(("parent_id__isnull", False)),
            ),
        ),
        migrations.AddIndex("requestrow", models.Index(fields=["written_us"], name="request_record_by_writing")),
        migrations.AddIndex(
            "requestrow",
            models.Index(fields=["id"], name="request_record_errors", condition=models.Q(("status__gte", 400))),
        ),
        migrations.AddIndex(
            "requestrow",
            models.Index(fields=["id"], name="request_record_slow", condition=models.Q(("latency_ms__gte", 2_000))),
        ),
        migrations.AddIndex(
            "requestrow",
            models.Index(
                fields=["id"], name="request_record_dear", condition=models.Q(("charged_micros__gte", 10_000))
            ),
        ),
        migrations.CreateModel(
            name="BodyRow",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("request_id", models.UUIDField()),
                ("part", models.CharField(max_length=8)),
                ("path", models.CharField(max_length=200)),
                ("headers", models.JSONField(default=dict)),
                ("content_type", models.CharField(max_length=100)),
                ("size", models.IntegerField()),
                ("truncated", models.BooleanField()),
                ("body_ciphertext", models.BinaryField()),
                ("body_kid", models.CharField(max_length=64)),
                ("persona_id", models.CharField(max_length=128, null=True)),
                ("subject_id", models.CharField(max_length=128, null=True)),
                ("expires_at", models.DateTimeField()),
            ],
            options={
                "db_table": "request_body",
                "indexes": [models.Index(fields=["expires_at"], name="request_body_by_expiry")],
                "constraints": [models.UniqueConstraint(fields=("request_id", "part"), name="request_body_once")],
            },
        ),
    ]
