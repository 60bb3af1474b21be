"""Ten dollars are ten dollars: two hundred callers at once in four processes that are killed at random."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import httpx
import pytest
from django.db import connections

from tests.harness import eventually
from tests.proof.conftest import Fleet

BUDGET = 10_000_000
CALLERS = 200
BODY = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "Say a word."}], "max_tokens": 4000}
_LONGEST_S = 150
pytestmark = pytest.mark.timeout(400)


async def spend(fleet: Fleet, secret: str, *, kills: int, until_micros: int | None = None) -> list[str]:
    """Call until money refuses every caller; returns the request ids that were answered. Workers die meanwhile."""
    answered: list[str] = []
    headers = {"authorization": f"Bearer {secret}"}
    limits = httpx.Limits(max_connections=None)
    deadline = time.monotonic() + _LONGEST_S
    enough = asyncio.Event()

    async def caller(client: httpx.AsyncClient) -> None:
        while time.monotonic() < deadline and not enough.is_set():
            port = random.choice(fleet.ports)
            try:
                answer = await client.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=BODY, headers=headers)
            except httpx.HTTPError:
                await asyncio.sleep(0.2)  # killed a moment ago
                continue
            if answer.status_code == 200:
                answered.append(answer.headers["x-request-id"])
            elif answer.status_code == 402:
                return
            else:
                assert answer.status_code in (429, 503), answer.text
                await asyncio.sleep(0.2)

    async def killer() -> None:
        for _ in range(kills):
            await asyncio.sleep(random.uniform(1.5, 3))
            await asyncio.to_thread(fleet.restart, random.randrange(len(fleet.workers)))

    async def watch() -> None:
        while until_micros is not None and not enough.is_set():
            await asyncio.sleep(0.2)
            if await asyncio.to_thread(_spent_by, secret, fleet) >= until_micros:
                enough.set()

    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        watching = asyncio.create_task(watch())
        await asyncio.gather(killer(), *(caller(client) for _ in range(CALLERS)))
        enough.set()
        await watching
    assert time.monotonic() < deadline, "money never refused anybody"
    return answered


def _key(fleet: Fleet) -> dict[str, Any]:
    wanted = {"name": "ten dollars", "budget": {"limit_micros": BUDGET, "window": "month", "hard": True}}
    with fleet.product.acme.client() as client:
        made = client.post("/v1/keys", json=wanted)
        assert made.status_code == 201, made.text
        return made.json()


def _budget(secret: str, fleet: Fleet) -> dict[str, Any]:
    with fleet.product.acme.client(secret) as client:
        budgets = client.get("/v1/limits").json()["budgets"]
    return next(one for one in budgets if one["scope"] == "key")


def _spent_by(secret: str, fleet: Fleet) -> int:
    return _budget(secret, fleet)["spent_micros"]


def _entries(key_id: str) -> list[tuple[str, int, int]]:
    """(request id, charged, state) of every row of the key in the ledger."""
    from gateway.core import ids

    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT request_id, charged_micros, state FROM public.ledger_entry WHERE key_id = %s",
            [ids.parse("key", key_id)],
        )
        return [(ids.public("req", row[0]), row[1], row[2]) for row in cursor.fetchall()]


def _settled(fleet: Fleet, key: dict[str, Any]) -> dict[str, Any]:
    """The key's budget once no lease is open and every entry is in the ledger. What workers keep in hand for an outage
    counts as reserved, up to a tenth of what is left."""

    def quiet() -> dict[str, Any]:
        budget = _budget(key["secret"], fleet)
        booked = sum(charged for _, charged, _ in _entries(key["id"]))
        assert booked == budget["spent_micros"], (booked, budget)
        assert budget["reserved_micros"] <= max(0, BUDGET - booked) / 10, budget
        return budget

    return eventually(quiet, within=60, every=0.5)


def test_hard_budget__200_callers_in_4_processes_killed_at_random__never_overspent(
    fleet: Fleet, django_db_blocker: Any
) -> None:
    key, before = _key(fleet), fleet.calls()
    answered = asyncio.run(spend(fleet, key["secret"], kills=3))
    with django_db_blocker.unblock():
        budget = _settled(fleet, key)
        rows = _entries(key["id"])
    assert 0.9 * BUDGET < budget["spent_micros"] <= BUDGET
    assert sum(charged for _, charged, _ in rows) == budget["spent_micros"]
    assert set(answered) <= {request for request, _, _ in rows}, "an answered call left no entry"
    # Each call that reached the provider has its entry; a worker killed before it asked leaves an estimate too.
    reached, entries = fleet.calls() - before, {request for request, _, state in rows if state != 3}
    estimated = {request for request, _, state in rows if state == 2}
    assert len(entries) - len(estimated) <= reached <= len(entries)


async def hammer(fleet: Fleet, secret: str, seconds: float) -> list[str]:
    """Call all workers at once for a while; some of them die, and one is told to stop. Returns what was answered."""
    answered: list[str] = []
    headers = {"authorization": f"Bearer {secret}"}
    until = time.monotonic() + seconds

    async def caller(client: httpx.AsyncClient) -> None:
        while time.monotonic() < until:
            url = f"http://127.0.0.1:{random.choice(fleet.ports)}/v1/chat/completions"
            try:
                answer = await client.post(url, json=BODY, headers=headers)
            except httpx.HTTPError:
                await asyncio.sleep(0.2)
                continue
            assert answer.status_code == 200, answer.text
            answered.append(answer.headers["x-request-id"])

    async def ender() -> None:
        for number, end in enumerate((fleet.restart, fleet.recycle, fleet.restart)):
            await asyncio.sleep(seconds / 4)
            await asyncio.to_thread(end, number)

    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        await asyncio.gather(ender(), *(caller(client) for _ in range(60)))
    return answered


def test_plain_key__workers_killed_and_stopped_under_load__every_call_has_one_entry_and_no_lease_stays(
    fleet: Fleet, django_db_blocker: Any
) -> None:
    fleet.wait_ready()
    with fleet.product.acme.client() as client:
        key = client.post("/v1/keys", json={"name": "plain"}).raise_for_status().json()
    before = fleet.calls()
    answered = asyncio.run(hammer(fleet, key["secret"], 8))
    with django_db_blocker.unblock():

        def complete() -> list[tuple[str, int, int]]:
            rows = _entries(key["id"])
            assert set(answered) <= {request for request, _, _ in rows}, "an answered call left no entry"
            assert len({request for request, _, state in rows if state != 3}) >= fleet.calls() - before
            return rows

        rows = eventually(complete, within=60, every=0.5)
    assert len(answered) > 200
    first = [request for request, _, state in rows if state != 3]
    assert len(first) == len(set(first))  # none is there twice
    entries, estimated = set(first), {request for request, _, state in rows if state == 2}
    assert len(entries) - len(estimated) <= fleet.calls() - before <= len(entries)
    assert not set(answered) & estimated, "a worker that was told to stop lost a settlement"
    with fleet.product.acme.client(key["secret"]) as client:
        budgets = client.get("/v1/limits").json()["budgets"]
    assert all(one["reserved_micros"] == 0 for one in budgets if one["scope"] == "key")


def test_hard_budget__the_other_organization__spends_its_own(fleet: Fleet) -> None:
    key = _key(fleet)
    fleet.wait_ready()
    with fleet.product.globex.client() as client:
        made = client.post(f"http://127.0.0.1:{fleet.ports[0]}/v1/chat/completions", json=BODY)
    assert made.status_code == 200, made.text
    assert _budget(key["secret"], fleet)["spent_micros"] == 0


def test_hard_budget__store_emptied_after_nine_dollars__total_stays_within_ten(
    fleet: Fleet, django_db_blocker: Any
) -> None:
    import redis
    from django.conf import settings

    key = _key(fleet)
    fleet.wait_ready()
    asyncio.run(spend(fleet, key["secret"], kills=0, until_micros=9 * BUDGET // 10))
    with django_db_blocker.unblock():
        _settled(fleet, key)
        redis.Redis.from_url(settings.IKIRO_REDIS_URL).flushall()
        asyncio.run(spend(fleet, key["secret"], kills=0))
        budget = _settled(fleet, key)
        booked = sum(charged for _, charged, _ in _entries(key["id"]))
    assert 0.9 * BUDGET < booked <= BUDGET
    assert budget["spent_micros"] == booked
