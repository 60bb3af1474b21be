"""The bodies of one subject, found without reading all the others: an erasure looks for them again and again."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("gateway_requests", "0003_shadowed")]
    operations: ClassVar[list[Operation]] = [
        migrations.AddIndex(
            "bodyrow",
            models.Index(
                fields=["subject_id"], name="request_body_by_subject", condition=models.Q(subject_id__isnull=False)
            ),
        ),
    ]
