"""What a run asked, as a digest, and what its scores lack.

Only additions: a run of the code before it has no digest, so no publish rests on it.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway_consistency", "0001_initial"),
    ]

    operations = [
        migrations.AddField("runrow", "asked_digest", models.CharField(db_default="", default="", max_length=80)),
        migrations.AddField("runrow", "missing", models.JSONField(db_default=[], default=list)),
    ]
