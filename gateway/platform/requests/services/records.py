"""Writing decision records as the usage stream brings them."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from gateway.core import clock
from gateway.core.plain import clean, plain
from gateway.platform.requests.models import RequestRow
from gateway.platform.requests.types import RequestRecord

_CHANGED = [field.name for field in RequestRow._meta.fields if not field.primary_key]
_TEXTS = {
    "key_id": 40,
    "user_id": 40,
    "persona_id": 128,
    "subject_id": 128,
    "model": 128,
    "provider": 64,
    "outcome": 64,
}
_numbering = threading.Lock()
_last_us = 0


def write_records(records: Iterable[RequestRecord]) -> int:
    """Store records of the organization in scope; returns how many. Delivered again, the same record changes nothing
    but when it was written.

    Of two records for one request the later delivery stands (an estimate may be followed by what really happened).
    """
    rows = {record.request_id: _row(record) for record in records}
    # In id order, so that two writers that meet never wait for each other crosswise.
    ordered = [rows[request_id] for request_id in sorted(rows)]
    for row, written_us in zip(ordered, _numbers(len(ordered)), strict=True):
        row.written_us = written_us
    RequestRow.objects.bulk_create(ordered, update_conflicts=True, unique_fields=["id"], update_fields=_CHANGED)
    return len(ordered)


def _numbers(count: int) -> range:
    """As many moments, each of its own and later than all before: a live tail asks for what came after one."""
    global _last_us
    with _numbering:
        first = max(clock.micros(), _last_us + 1)
        _last_us = first + count - 1
    return range(first, first + count)


def _row(record: RequestRecord) -> RequestRow:
    texts: dict[str, Any] = {name: _cut(getattr(record, name), length) for name, length in _TEXTS.items()}
    return RequestRow(
        id=record.request_id,
        occurred_at=record.occurred_at,
        surface=record.surface[:32],
        status=record.status,
        state=record.state[:16],
        record=plain(record.record),
        kind=record.kind,
        latency_ms=record.latency_ms,
        charged_micros=record.charged_micros,
        cached=record.cached,
        parent_id=record.parent_id,
        **texts,
    )


def _cut(text: str | None, length: int) -> str | None:
    """A caller's text as the column holds it: the stream must never stop at one strange value."""
    return None if text is None else clean(text)[:length]
