"""What organizations and keys set for themselves: limits, choices, models, origins and addresses."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0002_people"),
    ]

    operations = [
        migrations.AddField(
            model_name="apikeyrow",
            name="allowed_models",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="apikeyrow",
            name="budget",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="apikeyrow",
            name="cache_s",
            field=models.IntegerField(null=True),
        ),
        migrations.AddField(
            model_name="apikeyrow",
            name="ip_ranges",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="apikeyrow",
            name="on_disconnect",
            field=models.CharField(max_length=8, null=True),
        ),
        migrations.AddField(
            model_name="apikeyrow",
            name="origins",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="apikeyrow",
            name="rate",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="organizationrow",
            name="rules",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="organizationrow",
            name="settings",
            field=models.JSONField(null=True),
        ),
    ]
