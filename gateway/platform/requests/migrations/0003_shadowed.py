"""Records that policy overlays in shadow speak of, found without reading the others."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("gateway_requests", "0002_search_and_bodies")]
    operations: ClassVar[list[Operation]] = [
        migrations.AddIndex(
            "requestrow",
            models.Index(
                fields=["id"], name="request_record_shadowed", condition=models.Q(("record__has_key", "shadow"))
            ),
        ),
    ]
