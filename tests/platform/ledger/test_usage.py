"""Usage is what the rows say: in total, in every group, by subject, in the export, and when a day was added up anew."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.errors import BadRequest
from gateway.platform.ledger import exporting, rebuilding, usage
from gateway.platform.ledger.exporting import ExportQuery
from gateway.platform.ledger.types import LATENCY_BOUNDS
from gateway.platform.ledger.usage import UsageQuery
from tests.platform.ledger.support import arrival, as_org, ask, estimated, memory, put, request_id_at
from tests.platform.support import ACME, GLOBEX, KEY

START, END = datetime(2031, 5, 1, tzinfo=UTC), datetime(2031, 6, 1, tzinfo=UTC)
MONEY = ("provider_cost_micros", "markup_micros", "charged_micros", "saved_micros")
COUNTED = (*MONEY, "calls", "prompt_tokens", "completion_tokens", "cached_tokens", "memory_recalls")
OTHER_KEY = UUID("01890a5d-ac96-7000-8000-0000000000bb")

_amounts = st.builds(
    lambda cost, markup: {"provider_cost_micros": cost, "markup_micros": markup, "charged_micros": cost + markup},
    st.integers(0, 10**9),
    st.integers(0, 10**8),
)
_lines = st.fixed_dictionaries(
    {
        "org": st.sampled_from([ACME, GLOBEX]),
        "minute": st.integers(0, 30 * 24 * 60 - 1),
        "kind": st.sampled_from(["settled", "settled", "settled", "memory", "corrected", "estimated"]),
        "money": _amounts,
        "facts": st.fixed_dictionaries(
            {
                "model": st.sampled_from(["openai/a", "anthropic/b"]),
                "key_id": st.sampled_from([str(KEY), str(OTHER_KEY), None]),
                "persona_id": st.sampled_from(["sage", None]),
                "subject_id": st.sampled_from(["ann", "ben", None]),
                "status": st.sampled_from([200, 402, 502]),
                "latency_ms": st.integers(0, 100_000),
                "price_version": st.sampled_from(["p1", "unpriced"]),
                "cache_hit": st.booleans(),
                "saved_micros": st.integers(0, 1000),
            }
        ),
    }
)


def _arrivals(line: dict[str, Any]) -> list[Any]:
    request_id = request_id_at(START + timedelta(minutes=line["minute"]))
    org, money, facts = line["org"], line["money"], line["facts"]
    if line["kind"] == "memory":
        who = {name: facts[name] for name in ("key_id", "subject_id", "persona_id")}
        return [memory(org, request_id, operations=1 + money["markup_micros"] % 9, overage_micros=3000, **who)]
    if line["kind"] == "settled":
        return [arrival(org, request_id, **facts, **money)]
    known = {name: facts[name] for name in ("model", "key_id", "persona_id", "subject_id")}
    lost = estimated(org, request_id, micros=money["charged_micros"] + 7, **known)
    return [lost] if line["kind"] == "estimated" else [lost, arrival(org, request_id, late=True, **facts, **money)]


def _written(databases: Any, lines: list[dict[str, Any]]) -> None:
    with databases["owner"].cursor() as cursor:
        cursor.execute("TRUNCATE ledger_entry, ledger_daily, ledger_hourly, ledger_subject_daily")
    for line in lines:  # an estimate and its correction never arrive together
        for one in _arrivals(line):
            put(databases, one)


def _exported(org_id: UUID, **allowed: Any) -> list[dict[str, Any]]:
    rows, place = exporting.batch(org_id, ExportQuery(START, END, **allowed))
    assert place is None
    return rows


_COLUMN = {"day": "occurred_at", "key": "key_id", "persona": "persona_id", "subject": "subject_id"}


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(lines=st.lists(_lines, min_size=1, max_size=12))
def test_usage__any_entries_of_two_organizations__is_the_sum_of_the_exported_rows(
    databases: Any, lines: list[dict[str, Any]]
) -> None:
    _written(databases, lines)
    for org_id in (ACME, GLOBEX):
        as_org(databases, org_id)
        rows = _exported(org_id)
        whole = usage.totals(org_id, UsageQuery(START, END))
        for name in COUNTED:
            assert getattr(whole, name) == sum(row[name] for row in rows), name
        assert whole.memory_operations == sum(row["memory_operations"] for row in rows)
        assert whole.charged_micros == whole.provider_cost_micros + whole.markup_micros
        assert usage.totals(org_id, UsageQuery(START, END, subjects=("ann", "ben", ""))).charged_micros == sum(
            row["charged_micros"] for row in rows
        )
        for group in ("model", "day", "key", "persona", "subject"):
            found, more = usage.groups(org_id, UsageQuery(START, END, (group,)), limit=200)
            assert not more
            expected: defaultdict[Any, int] = defaultdict(int)
            for row in rows:
                value = row[_COLUMN.get(group, group)]
                expected[value[:10] if group == "day" else value] += row["charged_micros"]
            shown = {_public(group, *one.key.values()): one.sums.charged_micros for one in found}
            assert shown == expected

    before = _roll_ups(databases)
    for day in {row[0] for row in ask(databases["batch"], "SELECT DISTINCT day FROM ledger_entry")}:
        rebuilding.rebuild(databases["batch"], day)
    assert _roll_ups(databases) == before


def _public(group: str, value: Any) -> Any:
    from gateway.core import ids

    if group == "day":
        return value.isoformat()
    return ids.public("key", value) if group == "key" and value is not None else value


def _roll_ups(databases: Any) -> list[Any]:
    """Without buckets that came to nothing but zeros."""
    return [
        sorted(ask(databases["batch"], f"SELECT * FROM {table}"), key=str)
        for table in ("ledger_hourly", "ledger_subject_daily")
    ]


def test_groups__page_by_page__are_all_groups_once(databases: Any) -> None:
    moments = [START + timedelta(hours=7 * number) for number in range(30)]
    put(databases, *(arrival(request_id=request_id_at(moment), model=f"m{moment.day % 2}") for moment in moments))
    put(databases, arrival(GLOBEX, request_id_at(START)))
    as_org(databases, ACME)
    for group_by in (("hour",), ("day", "model"), ("model", "status")):
        query = UsageQuery(START, END, group_by)
        seen: list[Any] = []
        after = None
        while True:
            found, more = usage.groups(ACME, query, limit=4, after=after)
            seen += found
            if not more:
                break
            after = found[-1].place
        whole, _ = usage.groups(ACME, query, limit=200)
        assert [one.key for one in seen] == [one.key for one in whole]
        assert sum(one.sums.calls for one in seen) == 30
    with pytest.raises(BadRequest, match="cursor"):
        usage.groups(ACME, UsageQuery(START, END, ("day",)), after=["yesterday"])


def test_usage__of_some_personas_and_subjects__leaves_out_the_rest(databases: Any) -> None:
    at = request_id_at
    put(
        databases,
        arrival(request_id=at(START), persona_id="sage", subject_id="ann"),
        arrival(request_id=at(START), persona_id="sage", subject_id="ben"),
        arrival(request_id=at(START), persona_id="coach", subject_id="ann"),
        arrival(request_id=at(START), persona_id=None, subject_id=None),
    )
    as_org(databases, ACME)
    assert usage.totals(ACME, UsageQuery(START, END, personas=("sage",))).calls == 2
    assert usage.totals(ACME, UsageQuery(START, END, subjects=("ann",))).calls == 2
    assert usage.totals(ACME, UsageQuery(START, END, personas=("sage",), subjects=("ann",))).calls == 1
    assert usage.totals(ACME, UsageQuery(START, END, subjects=())).calls == 0
    assert [len(_exported(ACME, subjects=("ann",))), len(_exported(ACME, personas=()))] == [2, 0]
    with pytest.raises(BadRequest, match="hour"):
        usage.groups(ACME, UsageQuery(START, END, ("hour",), subjects=("ann",)))
    as_org(databases, GLOBEX)
    assert usage.totals(ACME, UsageQuery(START, END)).calls == 0


def test_percentile__of_known_latencies__is_within_the_histograms_place(databases: Any) -> None:
    latencies = [*range(10, 1010, 10)]
    put(databases, *(arrival(request_id=request_id_at(START), latency_ms=latency) for latency in latencies))
    put(databases, estimated(ACME, request_id_at(START), micros=5))
    as_org(databases, ACME)
    sums = usage.totals(ACME, UsageQuery(START, END))
    for share in (0.5, 0.95, 0.99):
        exact = latencies[round(share * 100) - 1]
        place = next(index for index, bound in enumerate(LATENCY_BOUNDS) if bound > exact)
        assert LATENCY_BOUNDS[place - 1] <= sums.percentile(share) <= LATENCY_BOUNDS[place]
    assert (sums.timed, sums.latency_ms // sums.timed) == (100, 505)
    assert usage.totals(ACME, UsageQuery(END, END + timedelta(days=1))).percentile(0.5) is None


def test_correction__of_an_estimate__takes_its_error_back(databases: Any) -> None:
    request_id = request_id_at(START)
    put(databases, estimated(ACME, request_id, micros=90, model="openai/a"))
    as_org(databases, ACME)
    before = usage.totals(ACME, UsageQuery(START, END))
    assert (before.entries, before.errors, before.charged_micros) == (1, 1, 90)
    put(databases, arrival(request_id=request_id, late=True))
    after = usage.totals(ACME, UsageQuery(START, END))
    assert (after.entries, after.errors, after.charged_micros, after.calls) == (1, 0, 12, 1)
    found, _ = usage.groups(ACME, UsageQuery(START, END, ("status",)))
    assert [(one.key["status"], one.sums.charged_micros) for one in found] == [("correction", -78), ("5xx", 90)]


def test_rebuild_due__entries_of_before_the_roll_ups__are_added_up_once(databases: Any) -> None:
    put(databases, arrival(request_id=request_id_at(START)), arrival(GLOBEX, request_id_at(START + timedelta(days=3))))
    with databases["owner"].cursor() as cursor:
        cursor.execute("TRUNCATE ledger_hourly, ledger_subject_daily")
        cursor.execute("INSERT INTO ledger_rollup_due VALUES ('2031-05-01'), ('2031-05-02'), ('2031-05-04')")
    assert rebuilding.rebuild_due(databases["batch"], most=2) == 2
    assert rebuilding.rebuild_due(databases["batch"]) == 1
    assert rebuilding.rebuild_due(databases["batch"]) == 0
    for org_id in (ACME, GLOBEX):
        as_org(databases, org_id)
        assert usage.totals(org_id, UsageQuery(START, END)).charged_micros == 12


def test_export__more_than_a_batch__is_every_row_once(databases: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "BATCH", 7)
    with transaction.atomic(using="batch"):
        put(databases, *(arrival(request_id=request_id_at(START + timedelta(hours=hour))) for hour in range(40)))
    as_org(databases, ACME)
    seen: list[str] = []
    place: Any = None
    while True:
        rows, place = exporting.batch(ACME, ExportQuery(START, END), place)
        seen += [row["request_id"] for row in rows]
        if place is None:
            break
    assert len(seen) == len(set(seen)) == 40
    assert tuple(rows[0]) == exporting.COLUMNS
