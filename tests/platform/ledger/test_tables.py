"""The wall around the ledger, its partitions, its width, and reading it page by page."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import ProgrammingError

from gateway.core import ids
from gateway.platform.ledger import selectors
from gateway.platform.ledger.partitions import drop_expired, ensure_partitions
from gateway.platform.ledger.types import EntryFilter
from tests.platform.ledger.support import arrival, as_org, ask, put, request_id_at
from tests.platform.support import ACME, GLOBEX


def test_request_role__query_without_where__sees_its_own_organization_only(databases: Any) -> None:
    put(databases, arrival(ACME), arrival(ACME), arrival(GLOBEX))
    for org, rows, calls in ((ACME, 2, 2), (GLOBEX, 1, 1), (None, 0, None)):
        as_org(databases, org)
        assert ask(databases["default"], "SELECT count(*) FROM ledger_entry") == [(rows,)]
        for table in ("ledger_daily", "ledger_hourly", "ledger_subject_daily"):
            assert ask(databases["default"], f"SELECT sum(calls)::int FROM {table}") == [(calls,)]
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
        "UPDATE ledger_hourly SET charged_micros = 0",
        "DELETE FROM ledger_hourly",
        "INSERT INTO ledger_hourly SELECT * FROM ledger_hourly",
        "UPDATE ledger_subject_daily SET charged_micros = 0",
        "DELETE FROM ledger_subject_daily",
        "SELECT * FROM ledger_rollup_due",
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
    streamed = {"alias": "tier:fast", "stream": True, "bounded": True, "token_id": str(ids.uuid7())}
    hit = {"alias": "support", "cache_hit": True, "saved_micros": 12, "own_credential": True}
    put(databases, *(arrival(**facts) for facts in (streamed, hit, {"project_id": str(ids.uuid7())})))
    [(widest,)] = ask(databases["batch"], "SELECT max(pg_column_size(e)) FROM ledger_entry e")
    assert widest < 300


def test_drop_expired__old_days__go_whole_and_their_sums_stay(databases: Any) -> None:
    old, young = (datetime(2033, 5, day, 8, tzinfo=UTC) for day in (1, 10))
    put(databases, arrival(request_id=request_id_at(old)), arrival(request_id=request_id_at(young)))
    made = ensure_partitions(databases["owner"], days_ahead=0, today=date(2033, 5, 10))
    assert made == ["ledger_entry_20330509", "ledger_entry_20330510", "ledger_entry_20330501"]
    assert ask(databases["owner"], "SELECT count(*) FROM ledger_entry_default") == [(0,)]

    with databases["owner"].cursor() as cursor:
        cursor.execute("INSERT INTO ledger_rollup_due VALUES ('2033-05-01')")
    today = date(2033, 5, 12)
    assert "ledger_entry_20330501" not in drop_expired(databases["owner"], keep_days=3, today=today)
    with databases["owner"].cursor() as cursor:
        cursor.execute("TRUNCATE ledger_rollup_due")
    assert "ledger_entry_20330501" in drop_expired(databases["owner"], keep_days=3, today=today)
    assert drop_expired(databases["owner"], keep_days=3, today=today) == []
    assert ask(databases["batch"], "SELECT day FROM ledger_entry") == [(date(2033, 5, 10),)]
    for table in ("ledger_daily", "ledger_hourly", "ledger_subject_daily"):
        assert ask(databases["batch"], f"SELECT sum(charged_micros)::int FROM {table}") == [(24,)]


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
