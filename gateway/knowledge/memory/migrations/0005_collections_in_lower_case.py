from django.db import migrations

# Sources and collections are compared without regard to case; those stored before were kept as they were written.
_MEMORIES = "UPDATE memory SET memory_scope = lower(memory_scope) WHERE memory_scope <> lower(memory_scope)"
_SOURCES = """
UPDATE memory_source s SET source = lower(source) WHERE source <> lower(source) AND NOT EXISTS (
    SELECT FROM memory_source o
    WHERE o.memory_id = s.memory_id AND o.ref = s.ref AND o.source <> s.source AND lower(o.source) = lower(s.source))
"""


class Migration(migrations.Migration):
    dependencies = [
        ("gateway_memory", "0004_embedding_failure"),
    ]

    operations = [
        migrations.RunSQL(_MEMORIES, migrations.RunSQL.noop),
        migrations.RunSQL(_SOURCES, migrations.RunSQL.noop),
    ]
