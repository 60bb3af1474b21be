"""The marker table with forced row-level security (ADR: database roles)."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation

import gateway.core.clock

_ROLES = """
DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['ikiro_app', 'ikiro_batch'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another installation on this server made it at the same moment
            END;
        END IF;
    END LOOP;
END
$$;
"""

_SECURITY = """
ALTER TABLE outbox_marker ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox_marker FORCE ROW LEVEL SECURITY;
CREATE POLICY outbox_marker_own ON outbox_marker FOR ALL TO ikiro_app
    USING (org_id = nullif(current_setting('app.org_id', true), '')::uuid)
    WITH CHECK (org_id = nullif(current_setting('app.org_id', true), '')::uuid);
CREATE POLICY outbox_marker_all ON outbox_marker FOR ALL TO ikiro_batch USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, DELETE ON outbox_marker TO ikiro_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox_marker TO ikiro_batch;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = []
    operations: ClassVar[list[Operation]] = [
        migrations.RunSQL(_ROLES, migrations.RunSQL.noop),
        migrations.CreateModel(
            name="OutboxMarker",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("org_id", models.UUIDField()),
                ("kind", models.CharField(max_length=16)),
                ("ref", models.UUIDField()),
                ("shard", models.SmallIntegerField()),
                ("created_at", models.DateTimeField(default=gateway.core.clock.now)),
            ],
            options={
                "db_table": "outbox_marker",
                "indexes": [models.Index(fields=["kind", "shard", "id"], name="outbox_marker_relay")],
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "org_id", "ref"), name="outbox_marker_once"),
                ],
            },
        ),
        migrations.RunSQL(_SECURITY, migrations.RunSQL.noop),
    ]
