"""Taking a subject out of what finished operations told; their payloads are gone already."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.db.models import Q, TextField
from django.db.models.functions import Cast

from gateway.core import ids
from gateway.platform.operations.models import OperationRow

BATCH = 200


def erase(subject_id: str, *, before: datetime | None = None) -> int:
    """Null wherever the subject's id stands in results and checkpoints of finished operations; how many of them."""
    # As jsonb shows itself as text.
    word = json.dumps(subject_id, ensure_ascii=False)
    rows = OperationRow.objects.filter(finished_at__isnull=False).alias(
        told=Cast("result", TextField()), kept=Cast("checkpoint", TextField())
    )
    rows = rows.filter(Q(told__contains=word) | Q(kept__contains=word)).order_by("id")
    if before is not None:
        rows = rows.filter(id__lt=ids.uuid7_at(int(before.timestamp() * 1000), 0))
    erased = 0
    while batch := list(rows[:BATCH]):
        for row in batch:
            row.result, row.checkpoint = _without(row.result, subject_id), None
            row.save(update_fields=["result", "checkpoint"])
        erased += len(batch)
    return erased


def _without(value: Any, subject_id: str) -> Any:
    if isinstance(value, dict):
        return {"…" if key == subject_id else key: _without(item, subject_id) for key, item in value.items()}
    if isinstance(value, list):
        return [_without(item, subject_id) for item in value]
    return None if value == subject_id else value
