from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0005_capability_tokens"),
    ]

    operations = [
        migrations.AddField(
            model_name="organizationrow",
            name="closing_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="organizationrow",
            name="closes_at",
            field=models.DateTimeField(db_index=True, null=True),
        ),
        migrations.AddField(
            model_name="organizationrow",
            name="closing_by",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="organizationrow",
            name="closing_facts",
            field=models.JSONField(null=True),
        ),
        migrations.AlterField(
            model_name="organizationrow",
            name="state",
            field=models.CharField(
                choices=[
                    ("provisioning", "Provisioning"),
                    ("ready", "Ready"),
                    ("failed", "Failed"),
                    ("deleting", "Deleting"),
                ],
                default="provisioning",
                max_length=20,
            ),
        ),
    ]
