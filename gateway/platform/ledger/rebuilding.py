"""Adding a day up anew: for entries that were written before a roll-up existed, and for an operator who distrusts one.

What is due stands in ``ledger_rollup_due``; each day is one transaction, so a crash costs one day's work.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import structlog
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from gateway.platform.ledger.layout import ENTRY, HOURLY, SUBJECT_DAILY, SUMS, roll_up
from gateway.platform.ledger.writer import WRITER_LOCK

log = structlog.get_logger(__name__)

_OF_DAY = f"(SELECT * FROM {ENTRY} WHERE day = %s) AS entry"  # noqa: S608 - made of constants
_HOURLY = roll_up("ledger_hourly", HOURLY, SUMS, _OF_DAY)
_BY_SUBJECT = roll_up("ledger_subject_daily", SUBJECT_DAILY, SUMS, _OF_DAY)


def rebuild_due(connection: BaseDatabaseWrapper, *, most: int = 5) -> int:
    """Add up the oldest days that are due, at most ``most``; returns how many were."""
    done = 0
    while done < most:
        with transaction.atomic(using=connection.alias):
            with connection.cursor() as cursor:
                cursor.execute("SELECT min(day) FROM public.ledger_rollup_due")
                day = cursor.fetchone()[0]
            if day is None:
                return done
            rebuild(connection, day)
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM public.ledger_rollup_due WHERE day = %s", [day])
        done += 1
        log.info("ledger.day_added_up", day=day.isoformat())
    return done


def rebuild(connection: BaseDatabaseWrapper, day: date) -> None:
    """Replace both roll-ups of a day by the sums of its entries, while no entry is written. Not for a day whose entries
    were dropped: it would be nothing then."""
    start = datetime.combine(day, time(), UTC)
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [WRITER_LOCK])
        cursor.execute(
            "DELETE FROM public.ledger_hourly WHERE hour >= %s AND hour < %s", [start, start + timedelta(days=1)]
        )
        cursor.execute("DELETE FROM public.ledger_subject_daily WHERE day = %s", [day])
        cursor.execute(_HOURLY, [day])
        cursor.execute(_BY_SUBJECT, [day])
