"""The only code that writes the ledger: rows and roll-ups in one statement, so that neither is without the other.

What arrives is copied into a temporary table of this session and merged from there; what the ledger has already (by
day, request and attempt) is left alone and adds nothing to any roll-up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.db import DataError, IntegrityError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from gateway.platform.ledger.layout import (
    COLUMNS,
    DAILY,
    DAILY_SUMS,
    DIFFERENCES,
    ENTRY,
    HOURLY,
    KEPT,
    SUBJECT_DAILY,
    SUMS,
    roll_up,
)
from gateway.platform.ledger.lines import Arrival
from gateway.platform.ledger.types import CORRECTION, State

# One writer at a time, and none while a day is added up anew; the number only has to be nobody else's.
WRITER_LOCK = 0x6C65646765725F77
_ARRIVALS = "pg_temp.ledger_arrivals"


def _correction(column: str) -> str:
    if column == "attempt":
        return f"late.attempt + {CORRECTION}"
    if column == "state":
        return f"{State.CORRECTION:d}"
    if column in DIFFERENCES:
        return f"late.{column} - estimate.{column}"
    return f"estimate.{column}" if column in KEPT else f"late.{column}"


_NAMES = ", ".join(COLUMNS)
_STAGE = f"CREATE TEMPORARY TABLE IF NOT EXISTS ledger_arrivals (LIKE {ENTRY}) ON COMMIT DELETE ROWS"
_COPY = f"COPY {_ARRIVALS} ({_NAMES}) FROM STDIN"
_MERGE = f"""
    ON CONFLICT (day, request_id, attempt) DO NOTHING RETURNING *
), daily AS ({roll_up("ledger_daily", DAILY, DAILY_SUMS, "inserted")}
), hourly AS ({roll_up("ledger_hourly", HOURLY, SUMS, "inserted")}
), by_subject AS ({roll_up("ledger_subject_daily", SUBJECT_DAILY, SUMS, "inserted")})
SELECT request_id, attempt FROM inserted
"""  # noqa: S608 - made of constants, like the two below
_ENTRIES = f"""
WITH inserted AS (
    INSERT INTO {ENTRY} ({_NAMES}) SELECT {_NAMES} FROM {_ARRIVALS} {_MERGE}
"""  # noqa: S608
# The days are named as well, so that only their partitions are looked at.
_CORRECTIONS = f"""
WITH inserted AS (
    INSERT INTO {ENTRY} ({_NAMES})
    SELECT {", ".join(_correction(name) for name in COLUMNS)}
    FROM {_ARRIVALS} AS late JOIN {ENTRY} AS estimate
        ON estimate.day = late.day AND estimate.request_id = late.request_id AND estimate.attempt = late.attempt
        AND estimate.org_id = late.org_id AND estimate.state = {State.ESTIMATED:d} AND estimate.day = ANY(%s::date[])
    {_MERGE}
"""  # noqa: S608


def write(connection: BaseDatabaseWrapper, arrivals: Sequence[Arrival]) -> list[tuple[Arrival, str]]:
    """Insert the rows that are not there yet; returns those that the database refuses, each with the reason.

    Must run in a transaction. Trouble of the database itself (OperationalError) is raised.
    """
    if not arrivals:
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [WRITER_LOCK])
        cursor.execute(_STAGE)
    return _halving(connection, arrivals)


def _halving(connection: BaseDatabaseWrapper, arrivals: Sequence[Arrival]) -> list[tuple[Arrival, str]]:
    """Finds the bad ones among many good ones in few statements."""
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            _insert(connection, cursor, arrivals)
        return []
    except (DataError, IntegrityError) as error:
        if len(arrivals) == 1:
            return [(arrivals[0], str(error).strip())]
    middle = len(arrivals) // 2
    return _halving(connection, arrivals[:middle]) + _halving(connection, arrivals[middle:])


def _insert(connection: BaseDatabaseWrapper, cursor: CursorWrapper, arrivals: Sequence[Arrival]) -> None:
    _copy(connection, cursor, arrivals)
    done = _run(cursor, _ENTRIES, [])
    late = [arrival for arrival in arrivals if arrival.late and _key(arrival.row) not in done]
    if late:
        _copy(connection, cursor, late)
        days = sorted({date.fromisoformat(arrival.row["day"]) for arrival in late if arrival.row is not None})
        _run(cursor, _CORRECTIONS, [days])


def _copy(connection: BaseDatabaseWrapper, cursor: CursorWrapper, arrivals: Iterable[Arrival]) -> None:
    cursor.execute(f"TRUNCATE {_ARRIVALS}")
    with connection.wrap_database_errors, cursor.copy(_COPY) as copy:
        for arrival in arrivals:
            assert arrival.row is not None  # noqa: S101 - the writer is given rows only
            copy.write_row([arrival.row[name] for name in COLUMNS])


def _run(cursor: CursorWrapper, sql: str, parameters: list[Any]) -> set[tuple[str, int]]:
    cursor.execute(sql, parameters)
    return {(str(request_id), attempt) for request_id, attempt in cursor.fetchall()}


def _key(row: dict[str, Any] | None) -> tuple[str, int]:
    assert row is not None  # noqa: S101 - the writer is given rows only
    return str(UUID(str(row["request_id"]))), row["attempt"]
