"""After the store lost its counters: the month and the day so far, from the roll-ups."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import redis
import structlog
from django.db.backends.base.base import BaseDatabaseWrapper

from gateway.core.valkey import SHARDS, shard_of
from gateway.platform.ledger.lines import month_bounds
from gateway.platform.ledger.names import seeded, subject_holder, use_key
from gateway.platform.ledger.types import NO_KEY

log = structlog.get_logger(__name__)

_KEPT_S = {6: 75 * 86_400, 8: 3 * 86_400}
# Workers notice within a second that their open leases were lost and open them again; until all have, what is held is
# not known. Where nothing was spent there is nothing to wait for.
_GRACE_S = 5
_BATCH = 1000

# The organization and its keys from the days, which are complete from the first entry on; people from the hours.
_DAYS = """
SELECT org_id, CASE WHEN grouping(key_id) = 1 THEN 'o' WHEN key_id = %(none)s THEN '' ELSE 'k' || key_id END,
       sum(calls)::bigint, sum(charged_micros)::bigint, 0::bigint
FROM public.ledger_daily WHERE day >= %(first)s AND day < %(after)s
GROUP BY GROUPING SETS ((org_id), (org_id, key_id))
"""
_PEOPLE = """
SELECT org_id, 'u' || user_id, sum(calls)::bigint, sum(charged_micros)::bigint, 0::bigint
FROM public.ledger_hourly WHERE hour >= %(from)s AND hour < %(until)s AND user_id <> %(none)s
GROUP BY org_id, user_id
"""
_OPERATIONS = """
SELECT org_id, 'o', 0::bigint, 0::bigint, sum(memory_operations)::bigint
FROM public.ledger_hourly WHERE hour >= %(from)s AND hour < %(until)s
GROUP BY org_id HAVING sum(memory_operations) > 0
"""
_SUBJECTS = """
SELECT org_id, subject_id, sum(calls)::bigint, sum(charged_micros)::bigint, 0::bigint
FROM public.ledger_subject_daily
WHERE day >= %(first)s AND day < %(after)s AND subject_id <> '' AND org_id = ANY(%(orgs)s)
GROUP BY org_id, subject_id
"""


@dataclass(frozen=True, slots=True)
class _Sum:
    org_id: UUID
    holder: str
    calls: int
    spend: int
    operations: int


def nobody() -> Collection[UUID]:
    """No organization limits its subjects."""
    return ()


def reseed(
    client: redis.Redis, connection: BaseDatabaseWrapper, by_subject: Callable[[], Collection[UUID]] = nobody
) -> int:
    """Put calls and spend of the running month and day back, for every shard whose mark is missing; returns how many
    organizations were seeded. ``by_subject`` names the organizations that limit their subjects.

    A seed lives in fields of its own, set if absent, and is added to what was counted since: calls that came between
    the loss and this are not lost, and a second seeding adds nothing. Run it before ``drain`` in the same round, so
    that those calls are not in the roll-ups as well.
    """
    marks: Any = client.mget([seeded(shard) for shard in range(SHARDS)])
    empty = {shard for shard in range(SHARDS) if marks[shard] is None}
    if not empty:
        return 0
    seconds, micros = client.time()
    now = datetime.fromtimestamp(seconds, UTC)
    month, organizations = f"{now:%Y%m}", set()
    subjects = by_subject()
    for window, (first, after) in ((month, month_bounds(month)), (f"{now:%Y%m%d}", _day(now.date()))):
        found = [one for one in _sums(connection, first, after, subjects) if shard_of(one.org_id) in empty]
        _put(client, window, found)
        organizations |= {one.org_id for one in found}
    now_ms = seconds * 1000 + micros // 1000
    known = {shard_of(org_id) for org_id in organizations}
    # Only now: a seeding that broke off is done again.
    with client.pipeline(transaction=False) as pipeline:
        for shard in empty:
            ready = now_ms + (_GRACE_S * 1000 if shard in known else 0)
            pipeline.set(seeded(shard), f"{ready}|{now_ms}")
        pipeline.execute()
    if organizations:
        log.warning("ledger.counters_seeded", organizations=len(organizations), shards=len(empty), month=month)
    return len(organizations)


def _day(day: date) -> tuple[date, date]:
    return day, day + timedelta(days=1)


def _sums(connection: BaseDatabaseWrapper, first: date, after: date, subjects: Collection[UUID]) -> Iterable[_Sum]:
    named: dict[str, Any] = {
        "first": first, "after": after, "none": str(NO_KEY), "orgs": list(subjects),
        "from": datetime(first.year, first.month, first.day, tzinfo=UTC),
        "until": datetime(after.year, after.month, after.day, tzinfo=UTC),
    }  # fmt: skip
    found: list[_Sum] = []
    with connection.cursor() as cursor:
        for sql in (_DAYS, _PEOPLE, _OPERATIONS):
            cursor.execute(sql, named)
            found += [_Sum(*row) for row in cursor.fetchall() if row[1]]
        if subjects:
            cursor.execute(_SUBJECTS, named)
            found += [_Sum(row[0], subject_holder(row[1]), *row[2:]) for row in cursor.fetchall()]
    return found


def _put(client: redis.Redis, window: str, sums: list[_Sum]) -> None:
    for start in range(0, len(sums), _BATCH):
        with client.pipeline(transaction=False) as pipeline:
            for one in sums[start : start + _BATCH]:
                key = use_key(shard_of(one.org_id), one.org_id, one.holder, window)
                seeds = (
                    {"memory_ops": one.operations}
                    if one.operations
                    else {"calls": max(one.calls, 0), "spend": one.spend}
                )
                for name, value in seeds.items():
                    pipeline.hsetnx(key, f"seed_{name}", str(value))
                pipeline.expire(key, _KEPT_S[len(window)])
            pipeline.execute()
