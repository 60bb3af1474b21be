"""Writing decision records as the usage stream brings them."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.core.plain import clean, plain
from gateway.platform.requests.models import RequestRow
from gateway.platform.requests.types import RequestRecord

_CHANGED = ["occurred_at", "surface", "status", "state", "record", "key_id", "persona_id", "subject_id", "model"]


def write_records(records: Iterable[RequestRecord]) -> int:
    """Store records of the organization in scope; returns how many. Delivered again, the same record changes nothing.

    Of two records for one request the later delivery stands (an estimate may be followed by what really happened).
    """
    rows = {record.request_id: _row(record) for record in records}
    # In id order, so that two writers that meet never wait for each other crosswise.
    ordered = [rows[request_id] for request_id in sorted(rows)]
    RequestRow.objects.bulk_create(ordered, update_conflicts=True, unique_fields=["id"], update_fields=_CHANGED)
    return len(ordered)


def _row(record: RequestRecord) -> RequestRow:
    return RequestRow(
        id=record.request_id,
        occurred_at=record.occurred_at,
        surface=record.surface[:32],
        status=record.status,
        state=record.state[:16],
        record=plain(record.record),
        key_id=_cut(record.key_id, 40),
        persona_id=_cut(record.persona_id, 128),
        subject_id=_cut(record.subject_id, 128),
        model=_cut(record.model, 128),
    )


def _cut(text: str | None, length: int) -> str | None:
    """A caller's text as the column holds it: the stream must never stop at one strange value."""
    return None if text is None else clean(text)[:length]
