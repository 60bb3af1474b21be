from typing import ClassVar

import django.db.models.functions.datetime
from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("tenants_accounts", "0002_addresses_of_earlier_persons")]
    operations: ClassVar[list[Operation]] = [
        migrations.CreateModel(
            name="AccountClaimRow",
            fields=[
                ("id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("fingerprint", models.CharField(max_length=64)),
                ("request_id", models.UUIDField()),
                ("state", models.CharField(max_length=16)),
                ("lease_until", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("answer_ciphertext", models.BinaryField(null=True)),
                ("answer_kid", models.CharField(db_default="", default="", max_length=64)),
            ],
            options={
                "db_table": "tenants_account_claim",
                "indexes": [
                    models.Index(fields=["expires_at"], name="tenants_account_claim_by_end"),
                    models.Index(fields=["request_id"], name="tenants_account_claim_by_req"),
                ],
            },
        ),
    ]
