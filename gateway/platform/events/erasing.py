"""Deleting the events about a subject: some carry what was proposed or learned."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from gateway.core import ids
from gateway.platform.events.models import EventRow
from gateway.platform.outbox.services import unmark
from gateway.platform.outbox.types import Kind

BATCH = 1_000


def erase(subject_id: str, *, before: datetime | None = None) -> int:
    """Delete all events about a subject (with ``before``, older ones alone), delivered or not; how many. Running it
    again finds none."""
    rows = EventRow.objects.filter(subject_id=subject_id).exclude(name="subject.erased")
    if before is not None:
        rows = rows.filter(id__lt=ids.uuid7_at(int(before.timestamp() * 1000), 0))
    erased = 0
    while batch := list(rows.order_by("id").values_list("id", flat=True)[:BATCH]):
        with transaction.atomic():
            unmark(Kind.EVENT, batch)
            erased += EventRow.objects.filter(pk__in=batch).delete()[0]
    return erased
