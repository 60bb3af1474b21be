from django.db import migrations, models

# What stands there already: a proposal of a conversation was shown to policy and rules, any other waits for a person;
# and where a memory would go, or the assertion of any other type, is told by its payload or its source. What forgets a
# memory has its collection in another slice: such a proposal is left to keys that no collection narrows.
_BACKFILL = """
UPDATE proposal SET
    rules_asked = conversation_id IS NOT NULL,
    memory_scope = CASE WHEN type <> 'memory.forget' THEN left(coalesce(
        CASE WHEN type = 'memory.upsert' THEN nullif(btrim(payload->>'memory_scope'), '') END,
        nullif(btrim(split_part(provenance->>'from', ':', 1)), ''), 'chat'), 128) END
WHERE memory_scope IS NULL AND NOT rules_asked
"""


class Migration(migrations.Migration):
    dependencies = [
        ("gateway_proposals", "0002_targets_rules_votes"),
    ]

    operations = [
        migrations.AddField("proposalrow", "memory_scope", models.CharField(max_length=128, null=True)),
        migrations.AddField("proposalrow", "reach", models.JSONField(null=True)),
        migrations.AddField("proposalrow", "rules_asked", models.BooleanField(db_default=False, default=False)),
        migrations.RunSQL(_BACKFILL, migrations.RunSQL.noop),
    ]
