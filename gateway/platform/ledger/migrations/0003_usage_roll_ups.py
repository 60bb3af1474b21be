"""What an entry says beyond its price, and the two roll-ups that usage, statements and limits are read from.

Hourly by who, what and how; daily by subject. Both take the same sums, with a histogram of latencies. Entries that are
there already are added up afterwards, day by day (``ledger_rollup_due``), by the scheduler: the days of the entries so
far, and today and tomorrow, because an older writer may go on for a moment. What is rarely there is null, not 0: it
takes no room.
"""

from __future__ import annotations

from django.db import migrations, models

COLUMNS = """
ALTER TABLE public.ledger_entry
    ADD COLUMN saved_micros bigint,
    ADD COLUMN operations integer,
    ADD COLUMN stream boolean NOT NULL DEFAULT false,
    ADD COLUMN bounded boolean NOT NULL DEFAULT false,
    ADD COLUMN own_credential boolean NOT NULL DEFAULT false,
    ADD COLUMN project_id uuid,
    ADD COLUMN token_id uuid,
    ADD COLUMN parent_id uuid,
    ADD COLUMN alias text;
"""

_SUMS = """
    calls bigint NOT NULL,
    entries bigint NOT NULL,
    errors bigint NOT NULL,
    unpriced bigint NOT NULL,
    cache_hits bigint NOT NULL,
    prompt_tokens bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    cached_tokens bigint NOT NULL,
    memory_recalls bigint NOT NULL,
    memory_operations bigint NOT NULL,
    provider_cost_micros bigint NOT NULL,
    markup_micros bigint NOT NULL,
    charged_micros bigint NOT NULL,
    direct_micros bigint NOT NULL,
    saved_micros bigint NOT NULL,
    timed bigint NOT NULL,
    latency_ms bigint NOT NULL,
    latency integer[] NOT NULL,
"""

TABLES = f"""
CREATE TABLE public.ledger_hourly (
    org_id uuid NOT NULL,
    hour timestamptz NOT NULL,
    key_id uuid NOT NULL,
    user_id uuid NOT NULL,
    model text NOT NULL,
    provider text NOT NULL,
    persona_id text NOT NULL,
    project_id uuid NOT NULL,
    status smallint NOT NULL,
    surface text NOT NULL,
    {_SUMS}
    CONSTRAINT ledger_hourly_pkey PRIMARY KEY
        (org_id, hour, key_id, user_id, model, provider, persona_id, project_id, status, surface)
);
CREATE INDEX ledger_hourly_hour ON public.ledger_hourly (hour);

CREATE TABLE public.ledger_subject_daily (
    org_id uuid NOT NULL,
    day date NOT NULL,
    subject_id text NOT NULL,
    persona_id text NOT NULL,
    key_id uuid NOT NULL,
    model text NOT NULL,
    {_SUMS}
    CONSTRAINT ledger_subject_daily_pkey PRIMARY KEY (org_id, day, subject_id, persona_id, key_id, model)
);
CREATE INDEX ledger_subject_daily_day ON public.ledger_subject_daily (day);

CREATE TABLE public.ledger_rollup_due (day date PRIMARY KEY);
"""

WALL = """
ALTER TABLE public.ledger_hourly ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.ledger_hourly FORCE ROW LEVEL SECURITY;
ALTER TABLE public.ledger_subject_daily ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.ledger_subject_daily FORCE ROW LEVEL SECURITY;

ALTER TABLE public.ledger_rollup_due ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.ledger_rollup_due FORCE ROW LEVEL SECURITY;

-- It holds days and nothing of anybody; the owner asks it before dropping a partition. Grants keep the rest out.
CREATE POLICY ledger_rollup_due_all ON public.ledger_rollup_due USING (true) WITH CHECK (true);
CREATE POLICY ledger_hourly_own ON public.ledger_hourly FOR SELECT TO ikiro_app
    USING (org_id = nullif(current_setting('app.org_id', true), '')::uuid);
CREATE POLICY ledger_hourly_batch ON public.ledger_hourly TO ikiro_batch USING (true) WITH CHECK (true);
CREATE POLICY ledger_subject_daily_own ON public.ledger_subject_daily FOR SELECT TO ikiro_app
    USING (org_id = nullif(current_setting('app.org_id', true), '')::uuid);
CREATE POLICY ledger_subject_daily_batch ON public.ledger_subject_daily TO ikiro_batch
    USING (true) WITH CHECK (true);

-- The first two again: an earlier version granted every right on every public table after its migrations.
REVOKE ALL ON public.ledger_entry, public.ledger_daily,
    public.ledger_hourly, public.ledger_subject_daily, public.ledger_rollup_due FROM PUBLIC, ikiro_app, ikiro_batch;
GRANT SELECT ON public.ledger_entry, public.ledger_daily TO ikiro_app;
GRANT SELECT, INSERT ON public.ledger_entry TO ikiro_batch;
GRANT SELECT, INSERT, UPDATE ON public.ledger_daily TO ikiro_batch;
GRANT SELECT ON public.ledger_hourly, public.ledger_subject_daily TO ikiro_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.ledger_hourly, public.ledger_subject_daily TO ikiro_batch;
GRANT SELECT, INSERT, DELETE ON public.ledger_rollup_due TO ikiro_batch;
"""

# Forced row-level security hides the rows from the owner as well, unless lifted for this transaction.
DUE = """
ALTER TABLE public.ledger_daily NO FORCE ROW LEVEL SECURITY;
INSERT INTO public.ledger_rollup_due
    SELECT day FROM public.ledger_daily
    UNION SELECT (now() AT TIME ZONE 'UTC')::date + ahead FROM generate_series(0, 1) AS ahead;
ALTER TABLE public.ledger_daily FORCE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):
    dependencies = [("gateway_ledger", "0002_person_of_an_entry")]
    operations = [
        migrations.RunSQL(
            sql=COLUMNS + TABLES + DUE + WALL,
            reverse_sql="DROP TABLE public.ledger_rollup_due, public.ledger_subject_daily, public.ledger_hourly;"
            " ALTER TABLE public.ledger_entry DROP COLUMN saved_micros, DROP COLUMN operations, DROP COLUMN stream,"
            " DROP COLUMN bounded, DROP COLUMN own_credential, DROP COLUMN project_id, DROP COLUMN token_id,"
            " DROP COLUMN parent_id, DROP COLUMN alias;",
            state_operations=[
                migrations.AddField("LedgerEntryRow", "saved_micros", models.BigIntegerField(null=True)),
                migrations.AddField("LedgerEntryRow", "operations", models.IntegerField(null=True)),
                migrations.AddField("LedgerEntryRow", "stream", models.BooleanField(default=False)),
                migrations.AddField("LedgerEntryRow", "bounded", models.BooleanField(default=False)),
                migrations.AddField("LedgerEntryRow", "own_credential", models.BooleanField(default=False)),
                migrations.AddField("LedgerEntryRow", "project_id", models.UUIDField(null=True)),
                migrations.AddField("LedgerEntryRow", "token_id", models.UUIDField(null=True)),
                migrations.AddField("LedgerEntryRow", "parent_id", models.UUIDField(null=True)),
                migrations.AddField("LedgerEntryRow", "alias", models.TextField(null=True)),
            ],
        )
    ]
