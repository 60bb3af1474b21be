"""The ledger's rows themselves, a batch at a time, for exports that must neither fill memory nor hold a connection
while a slow reader reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from gateway.core import ids
from gateway.platform.ledger.layout import ENTRY
from gateway.platform.ledger.types import Source, State

BATCH = 2_000
_READ = (
    "day",
    "request_id",
    "attempt",
    "occurred_at",
    "state",
    "surface",
    "status",
    "outcome",
    "provider",
    "model",
    "alias",
    "key_id",
    "user_id",
    "token_id",
    "project_id",
    "parent_id",
    "persona_id",
    "subject_id",
    "calls",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "memory_recalls",
    "operations",
    "cache_hit",
    "stream",
    "usage_source",
    "provider_cost_micros",
    "markup_micros",
    "charged_micros",
    "saved_micros",
    "own_credential",
    "price_version",
    "latency_ms",
    "ttft_ms",
)
_RENAMED = {"operations": "memory_operations"}
COLUMNS = tuple(_RENAMED.get(name, name) for name in _READ if name != "day")
_IDS = {
    "request_id": "req",
    "key_id": "key",
    "user_id": "usr",
    "token_id": "tok",
    "project_id": "prj",
    "parent_id": "req",
}
Place = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class ExportQuery:
    """Rows of requests from ``start`` to ``end`` (excluded); ``personas`` and ``subjects`` are what the caller may
    see, None for all."""

    start: datetime
    end: datetime
    personas: tuple[str, ...] | None = None
    subjects: tuple[str, ...] | None = None


def batch(org_id: UUID, query: ExportQuery, after: Place | None = None) -> tuple[list[dict[str, Any]], Place | None]:
    """The next rows in the order of their requests, as plain values by ``COLUMNS``, and the place to go on from (None
    at the end)."""
    where = ["org_id = %s", "day >= %s", "day <= %s", "occurred_at >= %s", "occurred_at < %s"]
    parameters: list[Any] = [org_id, query.start.date(), query.end.date(), query.start, query.end]
    for column, allowed in (("persona_id", query.personas), ("subject_id", query.subjects)):
        if allowed is not None:
            where.append(f"{column} = ANY(%s)")
            parameters.append(list(allowed))
    if after is not None:
        where += ["day >= %s::date", "(day, request_id, attempt) > (%s::date, %s::uuid, %s::smallint)"]
        parameters += [after[0], *after]
    sql = (
        f"SELECT {', '.join(_READ)} FROM {ENTRY} WHERE {' AND '.join(where)}"  # noqa: S608 - made of constants
        f" ORDER BY day, request_id, attempt LIMIT {BATCH}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows = [dict(zip(_READ, row, strict=True)) for row in cursor.fetchall()]
    last = rows[-1] if len(rows) == BATCH else None
    place = (last["day"].isoformat(), str(last["request_id"]), last["attempt"]) if last is not None else None
    return [_plain(row) for row in rows], place


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    row.pop("day")
    row["occurred_at"] = row["occurred_at"].isoformat()
    row["state"] = State(row["state"]).word
    row["usage_source"] = Source(row["usage_source"]).word
    for name, prefix in _IDS.items():
        row[name] = ids.public(prefix, row[name]) if row[name] is not None else None
    row["operations"], row["saved_micros"] = row["operations"] or 0, row["saved_micros"] or 0
    return {_RENAMED.get(name, name): value for name, value in row.items()}


def costs_of_calls(org_id: UUID, provider: str, first: date, last: date) -> dict[UUID, int]:
    """What each request of these days cost at a provider, by request id, in micro-dollars; for a comparison with what
    the provider says of each call."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT request_id, sum(provider_cost_micros)::bigint FROM {ENTRY}"  # noqa: S608 - a constant
            " WHERE org_id = %s AND day >= %s AND day <= %s AND provider = %s AND operations IS NULL GROUP BY 1",
            [org_id, first, last, provider],
        )
        return dict(cursor.fetchall())
