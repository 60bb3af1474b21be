"""The only code that writes the ledger: rows and roll-up in one statement, so that neither is without the other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import DataError, IntegrityError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from gateway.platform.ledger.lines import Arrival
from gateway.platform.ledger.types import CORRECTION, NO_KEY, State

_COLUMNS = {
    "occurred_at": "timestamptz",
    "provider_cost_micros": "bigint",
    "markup_micros": "bigint",
    "charged_micros": "bigint",
    "day": "date",
    "prompt_tokens": "integer",
    "completion_tokens": "integer",
    "cached_tokens": "integer",
    "memory_recalls": "integer",
    "latency_ms": "integer",
    "ttft_ms": "integer",
    "attempt": "smallint",
    "status": "smallint",
    "state": "smallint",
    "usage_source": "smallint",
    "calls": "smallint",
    "cache_hit": "boolean",
    "org_id": "uuid",
    "request_id": "uuid",
    "key_id": "uuid",
    "user_id": "uuid",
    "surface": "text",
    "model": "text",
    "provider": "text",
    "outcome": "text",
    "price_version": "text",
    "persona_id": "text",
    "subject_id": "text",
}
# Columns of a correction that are the difference to the estimate instead of the late value itself.
_DIFFERENCES = {
    "provider_cost_micros",
    "markup_micros",
    "charged_micros",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "memory_recalls",
    "latency_ms",
    "calls",
}
# The roll-up buckets of a correction are the estimate's, so that the bucket itself becomes right.
_KEPT = {"key_id", "user_id", "model", "surface"}
_SUMS = {
    "calls": "sum(calls)",
    "entries": f"count(*) FILTER (WHERE state <> {State.CORRECTION:d})",
    "errors": f"count(*) FILTER (WHERE status >= 400 AND state <> {State.CORRECTION:d})",
    "cache_hits": f"count(*) FILTER (WHERE cache_hit AND state <> {State.CORRECTION:d})",
    "prompt_tokens": "sum(prompt_tokens)",
    "completion_tokens": "sum(completion_tokens)",
    "cached_tokens": "sum(cached_tokens)",
    "memory_recalls": "sum(memory_recalls)",
    "provider_cost_micros": "sum(provider_cost_micros)",
    "markup_micros": "sum(markup_micros)",
    "charged_micros": "sum(charged_micros)",
    "latency_ms": "sum(latency_ms)",
}


def _correction(column: str) -> str:
    if column == "attempt":
        return f"late.attempt + {CORRECTION}"
    if column == "state":
        return f"{State.CORRECTION:d}"
    if column in _DIFFERENCES:
        return f"late.{column} - estimate.{column}"
    return f"estimate.{column}" if column in _KEPT else f"late.{column}"


_NAMES = ", ".join(_COLUMNS)
_RECORDSET = f"json_to_recordset(%s::json) AS late({', '.join(f'{name} {kind}' for name, kind in _COLUMNS.items())})"
# Sorted by key, so that two writers of the same rows wait for each other instead of deadlocking.
_ROLL_UP = f"""
    INSERT INTO public.ledger_daily (org_id, day, key_id, model, {", ".join(_SUMS)})
    SELECT org_id, day, coalesce(key_id, '{NO_KEY}'::uuid), model, {", ".join(_SUMS.values())}
    FROM inserted GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (org_id, day, key_id, model) DO UPDATE
    SET {", ".join(f"{name} = ledger_daily.{name} + excluded.{name}" for name in _SUMS)}
"""  # noqa: S608 - made of the constants above
_ENTRIES = f"""
WITH inserted AS (
    INSERT INTO public.ledger_entry ({_NAMES}) SELECT {_NAMES} FROM {_RECORDSET}
    ON CONFLICT (day, request_id, attempt) DO NOTHING RETURNING *
), rolled AS ({_ROLL_UP})
SELECT request_id, attempt FROM inserted
"""  # noqa: S608
_CORRECTIONS = f"""
WITH inserted AS (
    INSERT INTO public.ledger_entry ({_NAMES})
    SELECT {", ".join(_correction(name) for name in _COLUMNS)}
    FROM {_RECORDSET} JOIN public.ledger_entry AS estimate
        ON estimate.day = late.day AND estimate.request_id = late.request_id AND estimate.attempt = late.attempt
        AND estimate.org_id = late.org_id AND estimate.state = {State.ESTIMATED:d}
    ON CONFLICT (day, request_id, attempt) DO NOTHING RETURNING *
), rolled AS ({_ROLL_UP})
SELECT request_id, attempt FROM inserted
"""  # noqa: S608


def write(connection: BaseDatabaseWrapper, arrivals: Sequence[Arrival]) -> list[tuple[Arrival, str]]:
    """Insert the rows that are not there yet; returns those that the database refuses, each with the reason.

    Must run in a transaction. Trouble of the database itself (OperationalError) is raised.
    """
    if not arrivals:
        return []
    try:
        with transaction.atomic(using=connection.alias):
            _insert(connection, arrivals)
        return []
    except (DataError, IntegrityError) as error:
        if len(arrivals) == 1:
            return [(arrivals[0], str(error).strip())]
    # Halving finds the bad ones among many good ones in few statements.
    middle = len(arrivals) // 2
    return write(connection, arrivals[:middle]) + write(connection, arrivals[middle:])


def _insert(connection: BaseDatabaseWrapper, arrivals: Sequence[Arrival]) -> None:
    done = _run(connection, _ENTRIES, arrivals)
    late = [arrival for arrival in arrivals if arrival.late and _key(arrival.row) not in done]
    if late:
        _run(connection, _CORRECTIONS, late)


def _run(connection: BaseDatabaseWrapper, sql: str, arrivals: Iterable[Arrival]) -> set[tuple[str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [json.dumps([arrival.row for arrival in arrivals])])
        return {(str(request_id), attempt) for request_id, attempt in cursor.fetchall()}


def _key(row: dict[str, Any] | None) -> tuple[str, int]:
    assert row is not None  # noqa: S101 - the writer is given rows only
    return str(UUID(str(row["request_id"]))), row["attempt"]
