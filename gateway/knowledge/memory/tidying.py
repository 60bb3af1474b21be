"""The nightly tidying: what was forgotten 30 days ago and what has expired is deleted for good, and memories that say
the same of one slot become one. Every step works in small batches and may be run twice, or end half-way.

Two memories are never merged for being alike: only the same value of the same slot counts, said in the same sense, to
the same audience, in the same collection.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction

from gateway.core import clock, ids
from gateway.core.journal import Actor, Change, Event, record
from gateway.knowledge.memory import erasure, merging, storage
from gateway.knowledge.memory.models import MemoryRow, SubjectState, TidyReport
from gateway.knowledge.memory.services.forgetting import UNDO
from gateway.knowledge.memory.types import Status

TIDY = Actor("system", "memory-tidy")
HOUR = 3  # of the UTC day
BATCH = 500
KEEP_REPORTS = timedelta(days=90)
# One run's share; what is left is done an hour later.
SECONDS = 60.0
_LOCK = 7_021_105

Step = Callable[[datetime], Counter[str]]


def due(now: datetime) -> datetime:
    """When the night of this moment began: the last three o'clock (UTC)."""
    tonight = now.replace(hour=HOUR, minute=0, second=0, microsecond=0)
    return tonight if tonight <= now else tonight - timedelta(days=1)


def run(*, now: datetime | None = None, seconds: float = SECONDS) -> dict[str, int] | None:
    """Tidy the organization in scope; returns what was done, None when this night's tidying is done already."""
    now = now or clock.now()
    report = _begin(now)
    if report is None:
        return None
    counts: Counter[str] = Counter({name: count for name, count in report.counts.items() if name != "left"})
    ends = time.monotonic() + seconds
    steps: list[Step] = [purge, expire, merge]
    while steps and time.monotonic() < ends:
        done = steps[0](now)
        counts.update(done)
        if not done:
            steps.pop(0)
    TidyReport.objects.filter(ran_at__lt=now - KEEP_REPORTS).delete()
    shown = {name: counts[name] for name in ("purged", "expired", "merged")} | ({"left": 1} if steps else {})
    TidyReport.objects.filter(pk=report.pk).update(counts=shown)
    return shown


def _begin(now: datetime) -> TidyReport | None:
    """This night's report: a new one, or one whose run did not get to the end. None when it did, or when there is
    nothing to tidy. Two at once do not both begin."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(current_schema()))", [_LOCK])
        report = TidyReport.objects.filter(ran_at__gte=due(now)).order_by("-id").first()
        if report is not None:
            return report if "left" in report.counts else None
        if not SubjectState.objects.exists():
            return None
        return TidyReport.objects.create(ran_at=now, counts={"left": 1})


def purge(now: datetime) -> Counter[str]:
    """Delete one batch of what was forgotten 30 days ago, lineage included. The tombstones stay: they hold no words."""
    with transaction.atomic():
        gone = list(
            MemoryRow.objects.select_for_update(skip_locked=True)
            .filter(status=Status.FORGOTTEN, forgotten_at__lt=now - UNDO)
            .order_by("forgotten_at")
            .values_list("id", flat=True)[:BATCH]
        )
        if not gone:
            return Counter()
        erasure.delete(gone)
        detail = {"reason": "forgotten", "memories": [ids.public("mem", one) for one in gone]}
        record(Change("memory.purged", TIDY, "memories", detail=detail))
    return Counter(purged=len(gone))


def expire(now: datetime) -> Counter[str]:
    """Delete what has expired of one subject, with an event for each."""
    first = (
        MemoryRow.objects.filter(expires_at__lte=now)
        .exclude(status=Status.FORGOTTEN)
        .order_by("expires_at")
        .values_list("subject_pk", flat=True)
        .first()
    )
    if first is None:
        return Counter()
    with transaction.atomic():
        name = _hold(first)
        rows = list(
            MemoryRow.objects.filter(subject_pk=first, expires_at__lte=now).exclude(status=Status.FORGOTTEN)[:BATCH]
        )
        for row in rows:
            storage.drop_postings(first, row.id)
        erasure.delete([row.id for row in rows])
        kept = sum(row.status in (Status.ACTIVE, Status.SILENCED) and row.superseded_by_id is None for row in rows)
        storage.touch(first, gained=-kept)
        named = [ids.public("mem", row.id) for row in rows]
        change = Change(
            "memory.purged", TIDY, "memories", subject_id=name, detail={"reason": "expired", "memories": named}
        )
        record(
            change,
            *(
                Event("memory.deleted", {"memory_id": memory_id, "reason": "expired"}, subject_id=name)
                for memory_id in named
            ),
        )
    return Counter(expired=len(rows))


def merge(now: datetime) -> Counter[str]:
    """Make one of the memories that say the same of a slot of their subject."""
    merged = sum(_merge(subject_pk, slot, now) for subject_pk, slot in merging.candidates())
    return Counter(merged=merged) if merged else Counter()


def _merge(subject_pk: UUID, slot: str, now: datetime) -> int:
    with transaction.atomic():
        name = _hold(subject_pk)
        merged = merging.merge(subject_pk, slot, now)
        if not merged:
            return 0
        storage.touch(subject_pk, gained=-len(merged))
        into = {ids.public("mem", old): ids.public("mem", kept) for old, kept in merged}
        events = [
            Event("memory.updated", {"memory_id": kept, "supersedes": old}, subject_id=name)
            for old, kept in into.items()
        ]
        record(Change("memory.merged", TIDY, "memories", subject_id=name, detail={"into": into}), *events)
    return len(merged)


def _hold(subject_pk: UUID) -> str:
    """The subject's id, with its lock held."""
    name = SubjectState.objects.values_list("subject_id", flat=True).get(pk=subject_pk)
    storage.lock([(subject_pk, name)])
    return name
