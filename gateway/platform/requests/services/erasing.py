"""Taking a subject out of decision records, and deleting the bodies of its requests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from gateway.platform.requests.models import BodyRow, RequestRow
from gateway.platform.requests.query.filters import first_id

BATCH = 500


def ids_of(subject_id: str, *, before: datetime | None = None) -> Iterator[list[UUID]]:
    """The ids of the requests about a subject, in batches, the oldest first."""
    last = None
    while batch := list(_records(subject_id, before, after=last).values_list("id", flat=True)[:BATCH]):
        yield batch
        last = batch[-1]


def erase(subject_id: str, *, before: datetime | None = None) -> dict[str, int]:
    """Delete the kept bodies of a subject's requests and take its id out of their records, which stay; how many of
    each. Running it again finds none."""
    bodies = BodyRow.objects.filter(subject_id=subject_id)
    if before is not None:
        bodies = bodies.filter(id__lt=first_id(before))
    counts = {"request_bodies": bodies.delete()[0], "request_records": 0}
    while True:
        with transaction.atomic():
            rows = list(_records(subject_id, before).select_for_update()[:BATCH])
            if not rows:
                return counts
            counts["request_bodies"] += BodyRow.objects.filter(request_id__in=[row.id for row in rows]).delete()[0]
            for row in rows:
                row.subject_id, row.record = None, without(row.record, subject_id)
            RequestRow.objects.bulk_update(rows, ["subject_id", "record"])
            counts["request_records"] += len(rows)


def without(value: Any, subject_id: str) -> Any:
    """Plain JSON with null wherever the subject's id stood."""
    if isinstance(value, dict):
        return {key: without(item, subject_id) for key, item in value.items()}
    if isinstance(value, list):
        return [without(item, subject_id) for item in value]
    return None if value == subject_id else value


def _records(subject_id: str, before: datetime | None, *, after: UUID | None = None) -> QuerySet[RequestRow]:
    rows = RequestRow.objects.filter(subject_id=subject_id).order_by("id")
    if before is not None:
        rows = rows.filter(id__lt=first_id(before))
    return rows if after is None else rows.filter(id__gt=after)
