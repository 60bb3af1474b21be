"""Letting go of what an organization no longer wants kept, a batch at a time."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q, QuerySet

from gateway.core import clock
from gateway.platform.requests.bounds import Bounds
from gateway.platform.requests.models import BodyRow, RequestRow
from gateway.platform.requests.query.filters import first_id

# Short transactions: the usage stream's writer waits for none of them.
BATCH = 2_000
_NONE = Bounds()


def retain(*, record_days: int, body_days: int | None, bounds: Bounds = _NONE, batches: int = 50) -> bool:
    """Delete decision records older than ``record_days``, and bodies that expired or are older than ``body_days``
    (None: all of them, since none are wanted) or than policy's ``bounds`` let them be by now. At most ``batches`` of
    each; returns whether more is left.

    Ids begin with their moment, so the oldest are found, in order, by the primary key.
    """
    now = clock.now()
    records = RequestRow.objects.filter(id__lt=first_id(now - timedelta(days=record_days)))
    bodies = BodyRow.objects.all()
    if body_days is not None:
        days = body_days if bounds.days is None else min(body_days, bounds.days)
        over = Q(expires_at__lte=now) | Q(id__lt=first_id(now - timedelta(days=days)))
        for least in sorted(set(bounds.of_subjects.values())):
            theirs = [subject for subject, days in bounds.of_subjects.items() if days == least]
            over |= Q(subject_id__in=theirs, id__lt=first_id(now - timedelta(days=least)))
        bodies = bodies.filter(over)
    left = [_delete(rows, batches) for rows in (records, bodies)]
    return any(left)


def _delete(rows: QuerySet[RequestRow] | QuerySet[BodyRow], batches: int) -> bool:
    last = None
    for _ in range(batches):
        # From where the batch before ended: what it deleted lies there until the table is vacuumed.
        left = rows if last is None else rows.filter(id__gt=last)
        oldest = list(left.order_by("id").values_list("id", flat=True)[:BATCH])
        if oldest:
            last = oldest[-1]
            rows.filter(id__gte=oldest[0], id__lte=last).delete()
        if len(oldest) < BATCH:
            return False
    return True
