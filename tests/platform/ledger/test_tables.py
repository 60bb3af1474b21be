"""The wall around the ledger, its partitions, its width, and reading it page by page."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import ProgrammingError, transaction

from gateway.core import ids
from gateway.platform.ledger import lines, selectors, writer
from gateway.platform.ledger.lines import Arrival
from gateway.platform.ledger.partitions import ensure_partitions
from gateway.platform.ledger.types import EntryFilter
from tests.platform.support import ACME, GLOBEX, KEY


def request_id_at(moment: datetime) -> UUID:
    """A UUIDv7 of that moment."""
    low = ids.uuid7().int & (2**80 - 1)
    return UUID(int=int(moment.timestamp() * 1000) << 80 | low)


def arrival(org_id: UUID = ACME, request_id: UUID | None = None, **changes: Any) -> Arrival:
    data = {
        "org_id": str(org_id),
        "request_id": str(request_id or ids.uuid7()),
        "key_id": str(KEY),
        "surface": "v1",
        "model": "openai/gpt-5-mini-2026-01-01",
        "provider": "openai",
        "persona_id": "customer-support-sage",
        "subject_id": str(ids.uuid7()),
        "status": 200,
        "outcome": "ok",
        "calls": 1,
        "prompt_tokens": 1000,
        "completion_tokens": 200,
        "provider_cost_micros": 10,
        "markup_micros": 2,
        "charged_micros": 12,
        "price_version": "2026-09-01",
        "latency_ms": 900,
        "ttft_ms": 200,
        **changes,
    }
    return lines.decode("00-1-0", {b"kind": b"settled", b"data": json.dumps(data).encode()})


def put(databases: Any, *arrivals: Arrival) -> None:
    with transaction.atomic(using="batch"):
        assert writer.write(databases["batch"], arrivals) == []


def as_org(databases: Any, org_id: UUID | None) -> None:
    with databases["default"].cursor() as cursor:
        cursor.execute("SELECT set_config('app.org_id', %s, false)", [str(org_id or "")])


def ask(connection: Any, sql: str, *args: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, args)
        return list(cursor.fetchall())


def test_request_role__query_without_where__sees_its_own_organization_only(databases: Any) -> None:
    put(databases, arrival(ACME), arrival(ACME), arrival(GLOBEX))
    for org, rows, calls in ((ACME, 2, 2), (GLOBEX, 1, 1), (None, 0, None)):
        as_org(databases, org)
        assert ask(databases["default"], "SELECT count(*) FROM ledger_entry") == [(rows,)]
        assert ask(databases["default"], "SELECT sum(calls)::int FROM ledger_daily") == [(calls,)]
        assert {row[0] for row in ask(databases["default"], "SELECT org_id FROM ledger_entry")} <= {org}
    as_org(databases, ACME)
    assert selectors.entries(GLOBEX).entries == ()


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO ledger_daily SELECT * FROM ledger_daily",
        "UPDATE ledger_entry SET charged_micros = 0",
        "DELETE FROM ledger_entry",
        "SELECT * FROM ledger_entry_default",
        "TRUNCATE ledger_entry",
    ],
)
def test_request_role__anything_but_reading_through_the_ledger__is_refused(databases: Any, sql: str) -> None:
    put(databases, arrival())
    as_org(databases, ACME)
    with pytest.raises(ProgrammingError, match="permission denied"), databases["default"].cursor() as cursor:
        cursor.execute(sql)
    assert ask(databases["batch"], "SELECT count(*) FROM ledger_entry") == [(1,)]


def test_batch_role__entries_already_written__may_not_be_changed_or_deleted(databases: Any) -> None:
    put(databases, arrival())
    for sql in ("UPDATE ledger_entry SET calls = 0", "DELETE FROM ledger_entry"):
        with pytest.raises(ProgrammingError, match="permission denied"), databases["batch"].cursor() as cursor:
            cursor.execute(sql)


def test_ensure_partitions__twice__makes_each_day_once_and_moves_what_the_default_took(databases: Any) -> None:
    today = date(2031, 5, 10)
    early = request_id_at(datetime(2031, 5, 12, 8, tzinfo=UTC))
    put(databases, arrival(request_id=early))
    assert ask(databases["owner"], "SELECT count(*) FROM ledger_entry_default") == [(1,)]
    made = ensure_partitions(databases["owner"], days_ahead=3, today=today)
    assert made == [f"ledger_entry_203105{day:02d}" for day in (9, 10, 11, 12, 13)]
    assert ensure_partitions(databases["owner"], days_ahead=3, today=today) == []
    assert ask(databases["owner"], "SELECT count(*) FROM ledger_entry_default") == [(0,)]
    assert ask(databases["owner"], "SELECT request_id FROM ledger_entry_20310512") == [(early,)]

    # Still the same row: settling again changes nothing, and its wall stands.
    put(databases, arrival(request_id=early))
    assert ask(databases["batch"], "SELECT count(*) FROM ledger_entry") == [(1,)]
    as_org(databases, ACME)
    with pytest.raises(ProgrammingError, match="permission denied"), databases["default"].cursor() as cursor:
        cursor.execute("SELECT * FROM ledger_entry_20310512")
    assert selectors.entry(ACME, early) is not None
    as_org(databases, GLOBEX)
    assert selectors.entry(ACME, early) is None


def test_ensure_partitions__index_of_the_ledger__is_the_partitions_own(databases: Any) -> None:
    ensure_partitions(databases["owner"], days_ahead=0, today=date(2032, 1, 2))
    found = ask(
        databases["owner"],
        "SELECT count(*) FROM pg_inherits WHERE inhparent IN ('ledger_entry_pkey'::regclass, "
        "'ledger_entry_org_request'::regclass) AND inhrelid IN "
        "(SELECT indexrelid FROM pg_index WHERE indrelid = 'ledger_entry_20320102'::regclass)",
    )
    assert found == [(2,)]


def test_row__with_ordinary_names__is_narrower_than_300_bytes(databases: Any) -> None:
    put(databases, *(arrival() for _ in range(50)))
    [(widest,)] = ask(databases["batch"], "SELECT max(pg_column_size(e)) FROM ledger_entry e")
    assert widest < 300


def test_write__a_thousand_rows_with_repeats__are_rolled_up_once_each(databases: Any) -> None:
    rows = [arrival(org) for org in (ACME, GLOBEX) for _ in range(400)]
    put(databases, *rows, *rows[:200])
    put(databases, *rows)
    assert ask(databases["batch"], "SELECT count(*), sum(charged_micros)::int FROM ledger_entry") == [(800, 9600)]
    assert ask(databases["batch"], "SELECT sum(entries)::int, sum(charged_micros)::int FROM ledger_daily") == [
        (800, 9600)
    ]


def test_entries__pages_over_several_days__newest_first_without_gap_or_repeat(databases: Any) -> None:
    start = datetime(2031, 5, 8, 23, 50, tzinfo=UTC)
    made = [request_id_at(start + timedelta(minutes=minute)) for minute in range(0, 60, 5)]
    put(databases, *(arrival(request_id=request_id) for request_id in made))
    put(databases, *(arrival(request_id=made[3], attempt=2) for _ in range(1)), arrival(GLOBEX))
    as_org(databases, ACME)
    seen: list[UUID] = []
    cursor: UUID | None = None
    while True:
        page = selectors.entries(ACME, cursor=cursor, limit=5)
        seen += [entry.request_id for entry in page.entries]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == made[::-1]
    filtered = selectors.entries(
        ACME, EntryFilter(since=start + timedelta(minutes=15), until=start + timedelta(minutes=25))
    )
    assert [(entry.request_id, entry.attempts) for entry in filtered.entries] == [(made[4], 1), (made[3], 2)]


def test_entries__by_status_and_model__finds_only_those(databases: Any) -> None:
    failed = arrival(status=502, outcome="upstream_error")
    put(databases, failed, arrival(model="other"), arrival())
    as_org(databases, ACME)

    def found(**filters: Any) -> int:
        return len(selectors.entries(ACME, EntryFilter(**filters)).entries)

    assert [found(status=502), found(model="other"), found(status=502, model="other"), found()] == [1, 1, 0, 3]
    assert [found(state="settled"), found(state="estimated"), found(key_id=GLOBEX)] == [3, 0, 0]
    totals = selectors.month_totals(ACME)
    assert (totals.entries, totals.charged_micros) == (3, 36)
    with databases["batch"].cursor() as cursor:
        cursor.execute("SELECT sum(errors)::int FROM ledger_daily")
        assert cursor.fetchone() == (1,)


def test_entry__id_that_is_no_request__is_none(databases: Any) -> None:
    as_org(databases, ACME)
    assert selectors.entry(ACME, UUID(int=7)) is None
    assert selectors.entry(ACME, ids.uuid7()) is None
