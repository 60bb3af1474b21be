"""One partition a day: made ahead, dropped whole when its time is over."""

from __future__ import annotations

from datetime import date, timedelta

from django.conf import settings
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from gateway.core import clock

# One maker at a time; the number only has to be nobody else's.
_LOCK = 0x6C656467657264
_PREFIX = "ledger_entry_"
# Days of the default partition that get one of their own in one round.
_STRAYS = 50
_PARTITIONS = """
SELECT relname::text FROM pg_catalog.pg_inherits JOIN pg_catalog.pg_class ON pg_class.oid = inhrelid
WHERE inhparent = 'public.ledger_entry'::regclass ORDER BY 1
"""


def ensure_partitions(
    connection: BaseDatabaseWrapper | None = None, *, days_ahead: int = 7, today: date | None = None
) -> list[str]:
    """Make the missing partitions from yesterday to ``days_ahead`` days ahead; returns their names.

    Runs as the tables' owner (default: the ``owner`` connection). Each is made beside the ledger and attached, which
    readers and the writer do not notice; rows that the default partition took for the day move along, and every other
    day that it holds rows of gets its partition as well.
    """
    owner = connection or connections["owner"]
    first = (today or clock.now().date()) - timedelta(days=1)
    days = [first + timedelta(days=number) for number in range(days_ahead + 2)]
    with owner.cursor() as cursor:
        cursor.execute("SELECT DISTINCT day FROM public.ledger_entry_default ORDER BY day LIMIT %s", [_STRAYS])
        strays = [day for (day,) in cursor.fetchall() if day not in days]
    return [name for day in [*days, *strays] if (name := _ensure(owner, day)) is not None]


def drop_expired(
    connection: BaseDatabaseWrapper | None = None, *, keep_days: int | None = None, today: date | None = None
) -> list[str]:
    """Drop the partitions of days more than ``keep_days`` (default: IKIRO_LEDGER_RETENTION_DAYS) ago; returns their
    names, oldest first.

    Entries go as whole tables, never row by row; the roll-ups stay. A day whose roll-ups are still due keeps its
    entries until they are there. Runs as the tables' owner; gives up after 2 s behind a long reader, for the next
    round.
    """
    owner = connection or connections["owner"]
    kept = settings.IKIRO_LEDGER_RETENTION_DAYS if keep_days is None else keep_days
    oldest = (today or clock.now().date()) - timedelta(days=kept)
    with owner.cursor() as cursor:
        cursor.execute(_PARTITIONS)
        names = [name for (name,) in cursor.fetchall()]
        cursor.execute("SELECT day FROM public.ledger_rollup_due")
        due = {day for (day,) in cursor.fetchall()}
    expired = [name for name in names if (day := _day_of(name)) is not None and day < oldest and day not in due]
    for name in expired:
        with transaction.atomic(using=owner.alias), owner.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '2s'")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            cursor.execute(f"DROP TABLE IF EXISTS public.{name}")
    return expired


def _day_of(name: str) -> date | None:
    """The day in a partition's name; None for the default one."""
    digits = name.removeprefix(_PREFIX)
    return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) if len(digits) == 8 and digits.isdigit() else None


def _ensure(connection: BaseDatabaseWrapper, day: date) -> str | None:
    name = f"{_PREFIX}{day:%Y%m%d}"
    with connection.cursor() as cursor:
        if _exists(cursor, name):
            return None
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '2s'")
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        if _exists(cursor, name):
            return None
        cursor.execute(f"CREATE TABLE public.{name} (LIKE public.ledger_entry INCLUDING ALL)")
        cursor.execute(f"ALTER TABLE public.{name} ENABLE ROW LEVEL SECURITY")
        # Default privileges may have granted it; it is to be reached through the ledger only, where the policies are.
        cursor.execute(f"REVOKE ALL ON public.{name} FROM PUBLIC, ikiro_app, ikiro_batch")
        cursor.execute(
            f"WITH moved AS (DELETE FROM public.ledger_entry_default WHERE day = %s RETURNING *)"  # noqa: S608
            f" INSERT INTO public.{name} SELECT * FROM moved",
            [day],
        )
        cursor.execute(
            f"ALTER TABLE public.ledger_entry ATTACH PARTITION public.{name} FOR VALUES FROM (%s) TO (%s)",
            [day, day + timedelta(days=1)],
        )
    return name


def _exists(cursor: CursorWrapper, name: str) -> bool:
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"public.{name}"])
    return bool(cursor.fetchone()[0])
