from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway_personas", "0002_drafts_and_relationships"),
    ]

    operations = [
        migrations.AddField(
            model_name="personaversionrow",
            name="draft_revision",
            field=models.IntegerField(null=True),
        ),
    ]
