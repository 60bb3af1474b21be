"""Which teams a key is in."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0006_organization_closing"),
    ]

    operations = [
        migrations.AddField(
            model_name="apikeyrow",
            name="team_ids",
            field=models.JSONField(null=True),
        ),
    ]
