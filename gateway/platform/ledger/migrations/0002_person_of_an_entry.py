"""Who made a request that no key made: one column more, which fills as people call."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gateway_ledger", "0001_initial")]
    operations = [
        migrations.RunSQL(
            sql="ALTER TABLE public.ledger_entry ADD COLUMN user_id uuid",
            reverse_sql="ALTER TABLE public.ledger_entry DROP COLUMN user_id",
            state_operations=[
                migrations.AddField("LedgerEntryRow", "user_id", models.UUIDField(null=True)),
            ],
        )
    ]
