import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway_memory", "0004_embedding_failure"),
    ]

    operations = [
        migrations.AddField(
            model_name="memorysource",
            name="span",
            field=django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), null=True, size=2),
        ),
    ]
