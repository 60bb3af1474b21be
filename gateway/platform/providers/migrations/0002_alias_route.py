from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gateway_providers", "0001_initial")]

    operations = [
        migrations.AddField(model_name="aliasrow", name="route", field=models.JSONField(null=True)),
    ]
