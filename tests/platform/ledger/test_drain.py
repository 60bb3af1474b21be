"""From settle to the committed row: exactly once, past crashes and poison."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import redis
from django.db import OperationalError

from gateway.core import ids
from gateway.core.valkey import SHARDS, Valkey, shard_of
from gateway.platform.admission import services as admission
from gateway.platform.admission.journal import Journal
from gateway.platform.admission.keys import of_org
from gateway.platform.admission.leases import LeaseKeeper
from gateway.platform.admission.types import LeaseDraft, Note
from gateway.platform.ledger import selectors, services
from gateway.platform.ledger.names import dead_stream, seeded, usage_stream
from tests.platform.support import ACME, GLOBEX, KEY, a_request, a_settlement, run


class Trail:
    """Stands where the organizations' own records are written; keeps them by organization."""

    def __init__(self) -> None:
        self.written: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)

    def __call__(self, org_id: UUID, records: list[dict[str, Any]]) -> None:
        self.written[org_id] += records


@pytest.fixture
def trail() -> Trail:
    return Trail()


@pytest.fixture
def desk(tmp_path: Any) -> Any:
    return {"journal": Journal(tmp_path / "journal"), "keeper": LeaseKeeper()}


def settled(url: str, desk: Any, *orgs: UUID, **changes: Any) -> list[UUID]:
    """One admitted and settled request for each of ``orgs``."""

    async def work(store: Valkey) -> list[UUID]:
        made = []
        for org in orgs:
            lease = (await admission.admit(store, a_request(org), **desk)).lease
            await admission.settle(store, lease, a_settlement(**changes), **desk)
            made.append(lease.request_id)
        return made

    return run(url, work)


def as_org(databases: Any, org_id: UUID | None) -> None:
    with databases["default"].cursor() as cursor:
        cursor.execute("SELECT set_config('app.org_id', %s, false)", [str(org_id or "")])


def count(databases: Any, table: str = "ledger_entry") -> int:
    with databases["batch"].cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM public.{table}")
        return int(cursor.fetchone()[0])


def test_drain__settled_requests_of_two_organizations__become_rows_records_and_sums(
    url: str, client: Any, databases: Any, trail: Trail, desk: Any
) -> None:
    mine, *_ = settled(url, desk, ACME, ACME, GLOBEX)
    assert services.drain(client, databases["batch"], trail) == 3
    assert services.drain(client, databases["batch"], trail) == 0
    assert [client.xlen(usage_stream(shard)) for shard in range(SHARDS)] == [0] * SHARDS

    as_org(databases, ACME)
    entry = selectors.entry(ACME, mine)
    assert entry is not None
    assert (entry.state, entry.attempts, entry.status, entry.usage_source) == ("settled", 1, 200, "provider")
    assert (entry.prompt_tokens, entry.completion_tokens) == (12, 5)
    assert (entry.provider_cost_micros, entry.markup_micros, entry.charged_micros) == (1000, 200, 1200)
    assert (entry.key_id, entry.persona_id, entry.subject_id, entry.surface) == (KEY, "sage", "ann", "v1")
    assert (entry.occurred_at, entry.day) == (ids.created_at(mine), ids.created_at(mine).date())
    totals = selectors.month_totals(ACME)
    assert (totals.calls, totals.entries, totals.charged_micros) == (2, 2, 2400)

    assert [len(trail.written[org]) for org in (ACME, GLOBEX)] == [2, 1]
    record = trail.written[ACME][0]
    assert (record["kind"], record["state"], record["request_id"]) == ("request", "settled", str(mine))
    assert record["record"] == {"auth": {"key": "k"}}


def test_drain__crash_between_commit_and_delete__the_second_run_adds_nothing(
    url: str, client: Any, databases: Any, trail: Trail, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(url, desk, ACME)

    def crash(*args: Any) -> None:
        raise redis.ConnectionError("gone")

    module = importlib.import_module("gateway.platform.ledger.services.drain")
    monkeypatch.setattr(module, "_delete", crash)
    with pytest.raises(redis.ConnectionError):
        services.drain(client, databases["batch"], trail)
    assert count(databases) == 1
    monkeypatch.undo()
    assert services.drain(client, databases["batch"], trail) == 1
    assert count(databases) == 1
    as_org(databases, ACME)
    assert selectors.month_totals(ACME).charged_micros == 1200


@pytest.mark.outage
def test_drain__store_killed_between_settle_and_drain__the_entry_is_there_after_its_return(
    url: str, stack: Any, client: Any, databases: Any, trail: Trail, desk: Any
) -> None:
    made = settled(url, desk, ACME, GLOBEX)
    stack.valkey.kill()
    stack.valkey.start()
    assert services.drain(client, databases["batch"], trail) == 2
    as_org(databases, GLOBEX)
    entry = selectors.entry(GLOBEX, made[1])
    assert entry is not None
    assert entry.charged_micros == 1200


@pytest.mark.outage
def test_drain__database_killed__raises_keeps_the_stream_and_goes_on_after_its_return(
    url: str, stack: Any, client: Any, databases: Any, trail: Trail, desk: Any
) -> None:
    settled(url, desk, ACME)
    count(databases)
    stack.postgres.kill()
    with pytest.raises(OperationalError):
        services.drain(client, databases["batch"], trail)
    assert client.xlen(of_org(ACME).usage) == 1
    stack.postgres.start()
    for wrapper in databases.values():
        wrapper.close()
    assert services.drain(client, databases["batch"], trail) == 1
    assert count(databases) == 1


def test_drain__poison_among_good_entries__is_buried_with_its_error_and_holds_nothing_back(
    url: str, client: Any, databases: Any, trail: Trail, desk: Any
) -> None:
    usage = of_org(ACME).usage
    good = json.dumps({"org_id": str(ACME), "request_id": str(ids.uuid7())})
    poison = {
        "no json": {"kind": "settled", "data": "{"},
        "no kind": {"data": good},
        "no org": {"kind": "read", "data": "{}"},
        "no uuid7": {"kind": "settled", "data": json.dumps({"org_id": str(ACME), "request_id": str(UUID(int=4))})},
        "not a number": {"kind": "settled", "data": good[:-1] + ', "prompt_tokens": "many"}'},
        "wrong sum": {"kind": "settled", "data": good[:-1] + ', "charged_micros": 5}'},
        "nul": {"kind": "settled", "data": good[:-1] + ', "model": "a\\u0000b"}'},
    }
    settled(url, desk, ACME)
    for fields in poison.values():
        client.xadd(usage, fields)
    settled(url, desk, ACME, GLOBEX)
    assert services.drain(client, databases["batch"], trail) == len(poison) + 3
    assert count(databases) == 3
    assert client.xlen(usage) == 0
    dead = client.xrange(dead_stream(int(usage[6:8])))
    assert len(dead) == len(poison)
    assert all(fields[b"error"] and fields[b"id"] for _, fields in dead)
    assert len(trail.written[ACME]) == 2


def test_drain__records_of_one_organization_refused__the_others_and_all_rows_are_written(
    url: str, client: Any, databases: Any, trail: Trail, desk: Any
) -> None:
    bad, *_ = settled(url, desk, ACME, ACME, GLOBEX)

    def write(org_id: UUID, records: list[dict[str, Any]]) -> None:
        if any(record["request_id"] == str(bad) for record in records):
            raise LookupError("no such schema")
        trail(org_id, records)

    assert services.drain(client, databases["batch"], write) == 3
    assert count(databases) == 3
    assert [len(trail.written[org]) for org in (ACME, GLOBEX)] == [1, 1]
    [(_, fields)] = client.xrange(dead_stream(int(of_org(ACME).usage[6:8])))
    assert fields[b"error"] == b"LookupError: no such schema"


def test_drain__lease_of_a_dead_worker_settled_late__is_corrected_to_the_micro_dollar(
    url: str, client: Any, databases: Any, trail: Trail, desk: Any
) -> None:
    facts = {"surface": "v1", "model": "m", "prompt_tokens": 90, "provider_cost_micros": 1000, "subject_id": "ann"}
    request = a_request(lease=LeaseDraft(expires_in_s=60, estimate_micros=1200, facts=facts))

    async def admitted(store: Valkey) -> Any:
        return (await admission.admit(store, request, **desk)).lease

    lease = run(url, admitted)
    client.zadd(of_org(ACME).leases, {str(request.request_id): 1})
    admission.reap(client)
    services.drain(client, databases["batch"], trail)
    as_org(databases, ACME)
    estimated = selectors.entry(ACME, request.request_id)
    assert estimated is not None
    assert (estimated.state, estimated.usage_source, estimated.outcome) == ("estimated", "estimated", "worker_lost")
    assert (estimated.prompt_tokens, estimated.charged_micros, estimated.markup_micros) == (90, 1200, 200)
    assert trail.written[ACME][0]["state"] == "estimated"

    real = a_settlement(provider_cost_micros=50, markup_micros=10, charged_micros=60)
    run(url, lambda store: admission.settle(store, lease, real, **desk))
    for _ in range(2):
        services.drain(client, databases["batch"], trail)
    entry = selectors.entry(ACME, request.request_id)
    assert entry is not None
    assert (entry.state, entry.attempts, entry.status, entry.outcome) == ("settled", 1, 200, "ok")
    assert (entry.prompt_tokens, entry.charged_micros, entry.latency_ms) == (12, 60, 40)
    assert count(databases) == 2
    totals = selectors.month_totals(ACME)
    assert (totals.calls, totals.entries, totals.charged_micros, totals.prompt_tokens) == (1, 1, 60, 12)


def test_drain__attempts_of_one_request__are_rows_of_their_own_and_one_request(
    url: str, client: Any, databases: Any, trail: Trail, desk: Any
) -> None:
    failed = a_settlement(attempt=1, status=502, outcome="upstream_error")

    async def work(store: Valkey) -> UUID:
        lease = (await admission.admit(store, a_request(), **desk)).lease
        await admission.settle(store, lease, a_settlement(attempt=2), earlier=[failed], **desk)
        return UUID(str(lease.request_id))

    request_id = run(url, work)
    services.drain(client, databases["batch"], trail)
    as_org(databases, ACME)
    entry = selectors.entry(ACME, request_id)
    assert entry is not None
    assert (entry.attempts, entry.status, entry.charged_micros, entry.prompt_tokens) == (2, 200, 2400, 24)
    assert selectors.month_totals(ACME).calls == 1


def test_drain__notes__reach_the_organization_without_a_row(
    url: str, client: Any, databases: Any, trail: Trail, desk: Any
) -> None:
    async def work(store: Valkey) -> None:
        await admission.note(store, Note(ACME, "read", KEY, data={"target": "mem_1"}), journal=desk["journal"])

    run(url, work)
    assert services.drain(client, databases["batch"], trail) == 1
    assert count(databases) == 0
    [record] = trail.written[ACME]
    assert (record["kind"], record["target"], record["org_id"]) == ("read", "mem_1", str(ACME))
    assert record["stream_id"]


def test_reseed__store_emptied__puts_the_month_back_once_and_keeps_what_came_since(
    url: str, client: Any, databases: Any, trail: Trail, desk: Any
) -> None:
    settled(url, desk, ACME, ACME, GLOBEX)
    services.drain(client, databases["batch"], trail)
    client.flushdb()
    settled(url, desk, ACME)
    assert services.reseed(client, databases["batch"]) == 2
    assert services.reseed(client, databases["batch"]) == 0
    client.delete(seeded(shard_of(ACME)))
    services.drain(client, databases["batch"], trail)
    services.reseed(client, databases["batch"])
    ready, put_back = client.get(seeded(shard_of(ACME))).split(b"|")
    assert int(ready) > int(put_back)

    def used(org: UUID, holder: str, window: str) -> tuple[int, int]:
        names = ("calls", "seed_calls", "spend", "seed_spend")
        calls, seed_calls, spend, seed_spend = (
            int(n or 0) for n in client.hmget(of_org(org).use(window, holder), names)
        )
        return calls + seed_calls, spend + seed_spend

    for window in (f"{datetime.now(UTC):%Y%m}", f"{datetime.now(UTC):%Y%m%d}"):
        for holder in ("o", f"k{KEY}"):
            assert used(ACME, holder, window) == (3, 3600)
            assert used(GLOBEX, holder, window) == (1, 1200)


def test_drain__more_than_one_round_holds__goes_on_until_nothing_waits(
    url: str, client: Any, databases: Any, trail: Trail, desk: Any
) -> None:
    async def fill(store: Valkey) -> None:
        async def one() -> None:
            lease = (await admission.admit(store, a_request(), **desk)).lease
            await admission.settle(store, lease, a_settlement(), **desk)

        await asyncio.gather(*(one() for _ in range(90)))

    run(url, fill)
    assert [services.drain(client, databases["batch"], trail, count=60) for _ in range(3)] == [60, 30, 0]
    assert count(databases) == 90
    as_org(databases, ACME)
    totals = selectors.month_totals(ACME)
    assert (totals.month, totals.calls, totals.charged_micros) == (f"{datetime.now(UTC):%Y%m}", 90, 90 * 1200)
