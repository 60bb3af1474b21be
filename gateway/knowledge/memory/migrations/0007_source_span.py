import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway_memory", "0006_lineages_and_later_validity"),
    ]

    operations = [
        migrations.AddField(
            model_name="memorysource",
            name="span",
            field=django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), null=True, size=2),
        ),
    ]
