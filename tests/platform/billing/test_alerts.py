"""80 and 100 %: told once per window, limit and threshold, whoever looks how often at the same time."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from gateway.core import ids
from gateway.core.journal import OPERATOR
from gateway.platform.billing import alerts, selectors
from gateway.platform.billing.months import this_month
from gateway.platform.events import selectors as events
from tenants import keys, services
from tenants.context import scope
from tenants.rules import LimitRule
from tests.platform.billing.support import organization, put
from tests.platform.ledger.support import arrival, memory


def _events(ref: Any) -> list[dict[str, Any]]:
    """What was announced of thresholds, oldest first."""
    with scope(ref):
        found = events.list_page(limit=200, after=None).data
    return [
        one.payload | {"subject_id": one.subject_id} for one in reversed(found) if one.name == "usage.threshold_reached"
    ]


def _check(ref: Any) -> int:
    with scope(ref):
        return alerts.check(organization(ref))


def test_check__quota_of_calls__is_told_at_80_and_at_100_and_never_again(acme: Any, globex: Any) -> None:
    services.limits_set(acme, {"calls": 10}, actor=OPERATOR)
    put(*(arrival(acme.id) for _ in range(7)), *(arrival(globex.id) for _ in range(20)))
    assert _check(acme) == 0
    put(arrival(acme.id))
    assert [_check(acme), _check(acme)] == [1, 0]
    put(*(arrival(acme.id) for _ in range(3)))
    assert [_check(acme), _check(acme)] == [1, 0]
    assert _events(acme) == [
        {
            "what": "calls", "level": "organization", "threshold": threshold, "window": this_month().name,
            "limit": 10, "used": used, "unit": "calls", "subject_id": None,
        }
        for threshold, used in ((80, 8), (100, 11))
    ]  # fmt: skip
    assert _check(globex) == 0
    assert _events(globex) == []
    with scope(acme):
        assert [(one.threshold, one.used) for one in selectors.alerts(this_month())] == [(100, 11), (80, 8)]


def test_check__budgets_of_every_level__name_whose_they_are(acme: Any) -> None:
    user = ids.uuid7()
    with scope(acme):
        key = keys.create(name="spender", mode="live", actor=OPERATOR).key
    rules = [
        LimitRule("r_org", "organization", "budget", 1000, "month"),
        LimitRule("r_key", "key", "budget", 90, "day"),
        LimitRule("r_user", "user", "budget", 60, "month"),
        LimitRule("r_subject", "subject", "budget", 100, "day"),
        LimitRule("r_rate", "organization", "requests", 1, 60),
    ]
    services.rules_set(acme, rules, actor=OPERATOR)
    spent = {"provider_cost_micros": 75, "markup_micros": 15, "charged_micros": 90}
    less = {"provider_cost_micros": 50, "markup_micros": 0, "charged_micros": 50}
    put(
        arrival(acme.id, key_id=str(key.id), subject_id="ann", **spent),
        arrival(acme.id, key_id=None, user_id=str(user), subject_id="ben", **less),
    )
    assert _check(acme) == 4
    told = {(one["rule_id"], one["threshold"]): one for one in _events(acme)}
    assert set(told) == {("r_key", 80), ("r_key", 100), ("r_user", 80), ("r_subject", 80)}
    assert told["r_key", 100]["key_id"] == key.public_id
    assert told["r_user", 80]["user_id"] == ids.public("usr", user)
    assert told["r_subject", 80]["subject_id"] == "ann"
    today = datetime.now(UTC).date().isoformat()
    assert (told["r_key", 100]["window"], told["r_user", 80]["window"]) == (today, this_month().name)


def test_check__memory_operations__count_by_themselves(acme: Any) -> None:
    services.limits_set(acme, {"memory_operations": 5}, actor=OPERATOR)
    put(
        memory(acme.id, ids.uuid7(), operations=3, overage_micros=0),
        memory(acme.id, ids.uuid7(), operations=4, overage_micros=2000),
    )
    assert _check(acme) == 2
    assert [(one["what"], one["threshold"], one["used"]) for one in _events(acme)] == [
        ("memory_operations", 80, 7),
        ("memory_operations", 100, 7),
    ]


def test_check__by_many_at_once__tells_each_threshold_once(acme: Any) -> None:
    services.limits_set(acme, {"calls": 1}, actor=OPERATOR)
    put(arrival(acme.id))
    told: list[int] = []
    barrier = threading.Barrier(4)

    def look() -> None:
        barrier.wait()
        try:
            told.append(_check(acme))
        finally:
            connection.close()

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told)[-1] >= 1
    assert sum(told) == 2
    assert len(_events(acme)) == 2


def test_measured__nothing_used_or_no_limit__reaches_nothing() -> None:
    def reached(limit: int, used: int) -> tuple[int, ...]:
        return alerts.Measured("calls", "calls", "organization", "", "", "2026-11", limit, used).reached()

    assert [reached(100, 79), reached(100, 80), reached(100, 100), reached(0, 0), reached(0, 1)] == [
        (), (80,), (80, 100), (), (80, 100),
    ]  # fmt: skip
