"""The ledger's tables. ``writer`` alone writes rows, in SQL; these classes serve reading and the migration. The hourly
roll-up and the one by subject are read and written in SQL only (``layout``)."""

from __future__ import annotations

from django.db import models


class LedgerEntryRow(models.Model):
    """One attempt of one request, by a key or, where ``key_id`` is null, by a person; where ``operations`` is set,
    the memory operations of one request. Partitioned by ``day`` (of the request id)."""

    pk = models.CompositePrimaryKey("day", "request_id", "attempt")
    occurred_at = models.DateTimeField()
    provider_cost_micros = models.BigIntegerField()
    markup_micros = models.BigIntegerField()
    charged_micros = models.BigIntegerField()
    saved_micros = models.BigIntegerField(null=True)
    day = models.DateField()
    prompt_tokens = models.IntegerField()
    completion_tokens = models.IntegerField()
    cached_tokens = models.IntegerField()
    memory_recalls = models.IntegerField()
    operations = models.IntegerField(null=True)
    latency_ms = models.IntegerField()
    ttft_ms = models.IntegerField(null=True)
    attempt = models.SmallIntegerField()
    status = models.SmallIntegerField()
    state = models.SmallIntegerField()
    usage_source = models.SmallIntegerField()
    calls = models.SmallIntegerField()
    cache_hit = models.BooleanField()
    stream = models.BooleanField(default=False)
    bounded = models.BooleanField(default=False)
    own_credential = models.BooleanField(default=False)
    org_id = models.UUIDField()
    request_id = models.UUIDField()
    key_id = models.UUIDField(null=True)
    user_id = models.UUIDField(null=True)
    project_id = models.UUIDField(null=True)
    token_id = models.UUIDField(null=True)
    parent_id = models.UUIDField(null=True)
    surface = models.TextField()
    model = models.TextField()
    provider = models.TextField()
    outcome = models.TextField()
    price_version = models.TextField()
    alias = models.TextField(null=True)
    persona_id = models.TextField(null=True)
    subject_id = models.TextField(null=True)

    class Meta:
        app_label = "gateway_ledger"
        db_table = "ledger_entry"


class LedgerDailyRow(models.Model):
    """Sums of the entries of one organization, day, key (zero where none) and model."""

    pk = models.CompositePrimaryKey("org_id", "day", "key_id", "model")
    org_id = models.UUIDField()
    day = models.DateField()
    key_id = models.UUIDField()
    model = models.TextField()
    calls = models.BigIntegerField()
    entries = models.BigIntegerField()
    errors = models.BigIntegerField()
    cache_hits = models.BigIntegerField()
    prompt_tokens = models.BigIntegerField()
    completion_tokens = models.BigIntegerField()
    cached_tokens = models.BigIntegerField()
    memory_recalls = models.BigIntegerField()
    provider_cost_micros = models.BigIntegerField()
    markup_micros = models.BigIntegerField()
    charged_micros = models.BigIntegerField()
    latency_ms = models.BigIntegerField()

    class Meta:
        app_label = "gateway_ledger"
        db_table = "ledger_daily"
