"""Writing decision records as the usage stream brings them: a batch is one statement with one parameter."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec
from django.db import connections

from gateway.core import clock
from gateway.core.plain import clean, plain
from gateway.platform.requests.models import RequestRow
from gateway.platform.requests.types import RequestRecord

_TEXTS = {
    "key_id": 40,
    "user_id": 40,
    "persona_id": 128,
    "subject_id": 128,
    "model": 128,
    "provider": 64,
    "outcome": 64,
}
_NUL = b"\\u0000"
_encode = msgspec.json.Encoder().encode
_numbering = threading.Lock()
_last_us = 0


def write_records(records: Iterable[RequestRecord]) -> int:
    """Store records of the organization in scope; returns how many. Delivered again, the same record changes nothing
    but when it was written.

    Of two records for one request the later delivery stands (an estimate may be followed by what really happened).
    """
    rows = {record.request_id: _row(record) for record in records}
    if not rows:
        return 0
    # In id order, so that two writers that meet never wait for each other crosswise.
    ordered = [rows[request_id] for request_id in sorted(rows)]
    for row, written_us in zip(ordered, _numbers(len(ordered)), strict=True):
        row["written_us"] = written_us
    with connections[RequestRow.objects.db].cursor() as cursor:
        cursor.execute(_statement(), [_encode(ordered).decode()])
    return len(ordered)


@lru_cache(maxsize=1)
def _statement() -> str:
    """As ``bulk_create`` would write it, but for the rows, which come as one JSON array: it is encoded in C, where
    Django would quote each value of each column."""
    connection = connections[RequestRow.objects.db]
    fields = [(str(field.column), str(field.db_type(connection))) for field in RequestRow._meta.concrete_fields]
    names = ", ".join(name for name, _ in fields)
    columns = ", ".join(f"{name} {kind}" for name, kind in fields)
    changes = ", ".join(f"{name} = EXCLUDED.{name}" for name, _ in fields if name != "id")
    return f"""
        INSERT INTO {RequestRow._meta.db_table} ({names})
        SELECT {names} FROM json_to_recordset(%s::json) AS row({columns}) ORDER BY id
        ON CONFLICT (id) DO UPDATE SET {changes}
    """  # noqa: S608 - names and types of the model


def _numbers(count: int) -> range:
    """As many moments, each of its own and later than all before: a live tail asks for what came after one."""
    global _last_us
    with _numbering:
        first = max(clock.micros(), _last_us + 1)
        _last_us = first + count - 1
    return range(first, first + count)


def _row(record: RequestRecord) -> dict[str, Any]:
    texts = {name: _cut(getattr(record, name), length) for name, length in _TEXTS.items()}
    return {
        "id": record.request_id,
        "occurred_at": record.occurred_at,
        "surface": clean(record.surface)[:32],
        "status": record.status,
        "state": record.state[:16],
        "record": _json(record.record),
        "kind": record.kind,
        "latency_ms": record.latency_ms,
        "charged_micros": record.charged_micros,
        "cached": record.cached,
        "parent_id": record.parent_id,
        **texts,
    }


def _json(record: Any) -> msgspec.Raw:
    """A record as ``jsonb`` holds it. Nearly all come from JSON and have nothing in them that it could not."""
    try:
        encoded = _encode(record)
    except (UnicodeEncodeError, TypeError, ValueError):
        encoded = _NUL
    return msgspec.Raw(_encode(plain(record)) if _NUL in encoded else encoded)


def _cut(text: str | None, length: int) -> str | None:
    """A caller's text as the column holds it: the stream must never stop at one strange value."""
    return None if text is None else clean(text)[:length]
