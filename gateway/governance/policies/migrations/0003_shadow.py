"""Overlays in shadow: columns beside those in force, and versions that are counted apart for each mode.

Only additions: the code before it sees the overlays in force as ever, and its versions are of mode ``enforce``.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway_policies", "0002_levels"),
    ]

    operations = [
        migrations.AddField("overlayrow", "shadow", models.JSONField(null=True)),
        migrations.AddField("overlayrow", "shadow_version", models.IntegerField(db_default=0, default=0)),
        migrations.AddField("overlayrow", "shadow_updated_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "overlayrow", "shadow_updated_by", models.CharField(db_default="", default="", max_length=128)
        ),
        migrations.AddField(
            "versionrow", "mode", models.CharField(db_default="enforce", default="enforce", max_length=8)
        ),
        # The wider one first: at no moment are versions without a rule.
        migrations.AddConstraint(
            "versionrow",
            models.UniqueConstraint(fields=("overlay", "mode", "version"), name="policy_overlay_version_of_mode"),
        ),
        migrations.RemoveConstraint("versionrow", "policy_overlay_version_once"),
    ]
