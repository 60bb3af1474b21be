"""The partitioned ledger, its roll-up, and the wall around both.

Row-level security is forced: the request role sees its own organization's rows and may only read; the batch role
writes. The default partition takes what falls outside the days made ahead, so that no entry is ever refused.
"""

from __future__ import annotations

from django.db import migrations, models

ROLES = """
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

TABLES = """
CREATE TABLE public.ledger_entry (
    occurred_at timestamptz NOT NULL,
    provider_cost_micros bigint NOT NULL,
    markup_micros bigint NOT NULL,
    charged_micros bigint NOT NULL,
    day date NOT NULL,
    prompt_tokens integer NOT NULL,
    completion_tokens integer NOT NULL,
    cached_tokens integer NOT NULL,
    memory_recalls integer NOT NULL,
    latency_ms integer NOT NULL,
    ttft_ms integer,
    attempt smallint NOT NULL,
    status smallint NOT NULL,
    state smallint NOT NULL,
    usage_source smallint NOT NULL,
    calls smallint NOT NULL,
    cache_hit boolean NOT NULL,
    org_id uuid NOT NULL,
    request_id uuid NOT NULL,
    key_id uuid,
    surface text NOT NULL,
    model text NOT NULL,
    provider text NOT NULL,
    outcome text NOT NULL,
    price_version text NOT NULL,
    persona_id text,
    subject_id text,
    CONSTRAINT ledger_entry_pkey PRIMARY KEY (day, request_id, attempt),
    CONSTRAINT ledger_entry_money CHECK (charged_micros = provider_cost_micros + markup_micros)
) PARTITION BY RANGE (day);

CREATE INDEX ledger_entry_org_request ON public.ledger_entry (org_id, request_id);

CREATE TABLE public.ledger_entry_default PARTITION OF public.ledger_entry DEFAULT;

CREATE TABLE public.ledger_daily (
    org_id uuid NOT NULL,
    day date NOT NULL,
    key_id uuid NOT NULL,
    model text NOT NULL,
    calls bigint NOT NULL,
    entries bigint NOT NULL,
    errors bigint NOT NULL,
    cache_hits bigint NOT NULL,
    prompt_tokens bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    cached_tokens bigint NOT NULL,
    memory_recalls bigint NOT NULL,
    provider_cost_micros bigint NOT NULL,
    markup_micros bigint NOT NULL,
    charged_micros bigint NOT NULL,
    latency_ms bigint NOT NULL,
    CONSTRAINT ledger_daily_pkey PRIMARY KEY (org_id, day, key_id, model)
);
"""

WALL = """
ALTER TABLE public.ledger_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.ledger_entry FORCE ROW LEVEL SECURITY;
ALTER TABLE public.ledger_daily ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.ledger_daily FORCE ROW LEVEL SECURITY;
-- A partition asked for by its own name has no policy, so nobody but the owner sees anything there.
ALTER TABLE public.ledger_entry_default ENABLE ROW LEVEL SECURITY;

CREATE POLICY ledger_entry_own ON public.ledger_entry FOR SELECT TO ikiro_app
    USING (org_id = nullif(current_setting('app.org_id', true), '')::uuid);
CREATE POLICY ledger_entry_batch ON public.ledger_entry TO ikiro_batch USING (true) WITH CHECK (true);
CREATE POLICY ledger_daily_own ON public.ledger_daily FOR SELECT TO ikiro_app
    USING (org_id = nullif(current_setting('app.org_id', true), '')::uuid);
CREATE POLICY ledger_daily_batch ON public.ledger_daily TO ikiro_batch USING (true) WITH CHECK (true);

REVOKE ALL ON public.ledger_entry, public.ledger_entry_default, public.ledger_daily FROM PUBLIC, ikiro_app, ikiro_batch;
GRANT USAGE ON SCHEMA public TO ikiro_app, ikiro_batch;
GRANT SELECT ON public.ledger_entry, public.ledger_daily TO ikiro_app;
GRANT SELECT, INSERT ON public.ledger_entry TO ikiro_batch;
GRANT SELECT, INSERT, UPDATE ON public.ledger_daily TO ikiro_batch;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.RunSQL(
            sql=ROLES + TABLES + WALL,
            reverse_sql="DROP TABLE public.ledger_daily; DROP TABLE public.ledger_entry;",
            state_operations=[
                migrations.CreateModel(
                    name="LedgerEntryRow",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "day",
                                "request_id",
                                "attempt",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("occurred_at", models.DateTimeField()),
                        ("provider_cost_micros", models.BigIntegerField()),
                        ("markup_micros", models.BigIntegerField()),
                        ("charged_micros", models.BigIntegerField()),
                        ("day", models.DateField()),
                        ("prompt_tokens", models.IntegerField()),
                        ("completion_tokens", models.IntegerField()),
                        ("cached_tokens", models.IntegerField()),
                        ("memory_recalls", models.IntegerField()),
                        ("latency_ms", models.IntegerField()),
                        ("ttft_ms", models.IntegerField(null=True)),
                        ("attempt", models.SmallIntegerField()),
                        ("status", models.SmallIntegerField()),
                        ("state", models.SmallIntegerField()),
                        ("usage_source", models.SmallIntegerField()),
                        ("calls", models.SmallIntegerField()),
                        ("cache_hit", models.BooleanField()),
                        ("org_id", models.UUIDField()),
                        ("request_id", models.UUIDField()),
                        ("key_id", models.UUIDField(null=True)),
                        ("surface", models.TextField()),
                        ("model", models.TextField()),
                        ("provider", models.TextField()),
                        ("outcome", models.TextField()),
                        ("price_version", models.TextField()),
                        ("persona_id", models.TextField(null=True)),
                        ("subject_id", models.TextField(null=True)),
                    ],
                    options={"db_table": "ledger_entry"},
                ),
                migrations.CreateModel(
                    name="LedgerDailyRow",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "org_id",
                                "day",
                                "key_id",
                                "model",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("org_id", models.UUIDField()),
                        ("day", models.DateField()),
                        ("key_id", models.UUIDField()),
                        ("model", models.TextField()),
                        ("calls", models.BigIntegerField()),
                        ("entries", models.BigIntegerField()),
                        ("errors", models.BigIntegerField()),
                        ("cache_hits", models.BigIntegerField()),
                        ("prompt_tokens", models.BigIntegerField()),
                        ("completion_tokens", models.BigIntegerField()),
                        ("cached_tokens", models.BigIntegerField()),
                        ("memory_recalls", models.BigIntegerField()),
                        ("provider_cost_micros", models.BigIntegerField()),
                        ("markup_micros", models.BigIntegerField()),
                        ("charged_micros", models.BigIntegerField()),
                        ("latency_ms", models.BigIntegerField()),
                    ],
                    options={"db_table": "ledger_daily"},
                ),
            ],
        )
    ]
