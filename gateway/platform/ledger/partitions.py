"""One partition a day, made ahead."""

from __future__ import annotations

from datetime import date, timedelta

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from gateway.core import clock

# One maker at a time; the number only has to be nobody else's.
_LOCK = 0x6C656467657264


def ensure_partitions(
    connection: BaseDatabaseWrapper | None = None, *, days_ahead: int = 7, today: date | None = None
) -> list[str]:
    """Make the missing partitions from yesterday to ``days_ahead`` days ahead; returns their names.

    Runs as the tables' owner (default: the ``owner`` connection). Each is made beside the ledger and attached, which
    readers and the writer do not notice; rows that the default partition took for the day move along.
    """
    owner = connection or connections["owner"]
    first = (today or clock.now().date()) - timedelta(days=1)
    days = [first + timedelta(days=number) for number in range(days_ahead + 2)]
    return [name for day in days if (name := _ensure(owner, day)) is not None]


def _ensure(connection: BaseDatabaseWrapper, day: date) -> str | None:
    name = f"ledger_entry_{day:%Y%m%d}"
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
