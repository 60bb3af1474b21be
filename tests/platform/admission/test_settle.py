"""Exactly one entry per request, whoever settles how often, and none lost."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.core.valkey import Valkey
from gateway.platform.admission import services
from gateway.platform.admission.journal import Journal
from gateway.platform.admission.keys import of_org
from gateway.platform.admission.replay import JournalReplayer
from gateway.platform.admission.types import Note, Settled, UsageSource
from tests.platform.support import ACME, GLOBEX, KEY, a_request, a_settlement, run

MONTH = f"{datetime.now(UTC):%Y%m}"


def entries(client: Any, org: Any = ACME) -> list[tuple[str, dict[str, Any]]]:
    stream = client.xrange(of_org(org).usage)
    return [(fields[b"kind"].decode(), json.loads(fields[b"data"])) for _, fields in stream]


def spend(client: Any, org: Any = ACME) -> int:
    return int(client.hget(of_org(org).use(MONTH), "spend") or 0)


def test_settle__open_lease__closes_it_counts_and_appends_one_entry(url: str, client: Any, desk: Any) -> None:
    request = a_request()

    async def work(store: Valkey) -> None:
        lease = (await services.admit(store, request, **desk)).lease
        sent = store.commands_sent
        assert await services.settle(store, lease, a_settlement(), **desk) is Settled.SETTLED
        assert store.commands_sent - sent <= 2  # the second only where the server has not seen the script yet

    run(url, work)
    assert len(desk["keeper"]) == 0
    [(kind, entry)] = entries(client)
    assert kind == "settled"
    assert entry["request_id"] == str(request.request_id)
    assert (entry["org_id"], entry["key_id"]) == (str(ACME), str(KEY))
    assert (entry["surface"], entry["persona_id"], entry["subject_id"]) == ("v1", "sage", "ann")
    assert (entry["calls"], entry["attempt"], entry["charged_micros"]) == (1, 1, 1200)
    assert entry["record"] == {"auth": {"key": "k"}}
    assert spend(client) == 1200
    assert client.hlen(of_org(ACME).lease) == client.zcard(of_org(ACME).leases) == 0
    assert 290 < client.ttl(of_org(ACME).copy(request.request_id)) <= 300


def test_settle__twice_at_once__counts_once(url: str, client: Any, desk: Any) -> None:
    async def work(store: Valkey) -> None:
        lease = (await services.admit(store, a_request(), **desk)).lease
        outcomes = await asyncio.gather(*(services.settle(store, lease, a_settlement(), **desk) for _ in range(8)))
        assert sorted(outcomes) == [Settled.ALREADY] * 7 + [Settled.SETTLED]
        free = a_settlement(charged_micros=0, provider_cost_micros=0, markup_micros=0)
        assert await services.settle(store, lease, free, **desk) is Settled.ALREADY

    run(url, work)
    assert len(entries(client)) == 1
    assert spend(client) == 1200


def test_settle__two_organizations__each_pays_its_own(url: str, client: Any, desk: Any) -> None:
    async def work(store: Valkey) -> None:
        for org, price in ((ACME, 100), (GLOBEX, 7)):
            lease = (await services.admit(store, a_request(org), **desk)).lease
            settlement = a_settlement(provider_cost_micros=price, markup_micros=0, charged_micros=price)
            await services.settle(store, lease, settlement, **desk)

    run(url, work)
    assert (spend(client, ACME), spend(client, GLOBEX)) == (100, 7)


def test_settle__with_earlier_attempts__each_is_an_entry_and_one_is_the_call(url: str, client: Any, desk: Any) -> None:
    failed = a_settlement(attempt=1, status=502, outcome="upstream_error", usage_source=UsageSource.PARTIAL)

    async def work(store: Valkey) -> None:
        lease = (await services.admit(store, a_request(), **desk)).lease
        assert await services.settle(store, lease, a_settlement(attempt=2), earlier=[failed], **desk) == 1

    run(url, work)
    found = [entry for _, entry in entries(client)]
    assert [(entry["attempt"], entry["calls"]) for entry in found] == [(1, 0), (2, 1)]
    assert spend(client) == 2400


def test_settle__call_not_to_be_counted__is_given_back_to_the_quota(url: str, client: Any, desk: Any) -> None:
    async def work(store: Valkey) -> None:
        lease = (await services.admit(store, a_request(), **desk)).lease
        await services.settle(store, lease, a_settlement(status=502, counts_as_call=False), **desk)
        await services.settle(store, lease, a_settlement(status=502, counts_as_call=False), **desk)

    run(url, work)
    assert client.hget(of_org(ACME).use(MONTH), "calls") == b"0"
    assert entries(client)[0][1]["calls"] == 0


def test_settle__record_beyond_its_bound__is_cut_with_a_mark(url: str, client: Any, desk: Any) -> None:
    record = {"route": {"model": "m"}, "memories": ["x" * 100] * 400, "policy": "y" * 9000}

    async def work(store: Valkey) -> None:
        lease = (await services.admit(store, a_request(), **desk)).lease
        await services.settle(store, lease, a_settlement(record=record), **desk)

    run(url, work)
    kept = entries(client)[0][1]["record"]
    assert kept["truncated"] is True
    assert kept["route"] == {"model": "m"}
    assert kept["policy"] == "y" * 9000
    assert kept["memories"] == {"truncated": 41201}
    assert len(json.dumps(kept)) < 16 * 1024


def test_settle__lease_lost_in_a_flush__is_kept_as_late_once(url: str, client: Any, desk: Any) -> None:
    async def work(store: Valkey) -> None:
        lease = (await services.admit(store, a_request(), **desk)).lease
        client.flushdb()
        assert await services.settle(store, lease, a_settlement(), **desk) is Settled.LATE
        assert await services.settle(store, lease, a_settlement(), **desk) is Settled.ALREADY

    run(url, work)
    assert [kind for kind, _ in entries(client)] == ["late"]
    assert spend(client) == 1200


def test_settle__after_the_lease_was_reaped__corrects_the_spend_to_the_truth(url: str, client: Any, desk: Any) -> None:
    async def work(store: Valkey) -> None:
        lease = (await services.admit(store, a_request(), **desk)).lease
        client.zadd(of_org(ACME).leases, {str(lease.request_id): 1})
        assert services.reap(client).leases == 1
        assert spend(client) == 1200
        real = a_settlement(provider_cost_micros=100, markup_micros=20, charged_micros=120)
        assert await services.settle(store, lease, real, **desk) is Settled.LATE

    run(url, work)
    assert [kind for kind, _ in entries(client)] == ["estimated", "late"]
    assert spend(client) == 120


@pytest.mark.outage
def test_settle__store_killed__is_on_disk_and_replayed_exactly_once(
    url: str, stack: Any, client: Any, desk: Any
) -> None:
    async def work(store: Valkey) -> None:
        leases = [(await services.admit(store, a_request(), **desk)).lease for _ in range(30)]
        assert await services.settle(store, leases[0], a_settlement(), **desk) is Settled.SETTLED
        stack.valkey.kill()
        await asyncio.sleep(0.02)
        outcomes = await asyncio.gather(
            *(services.settle(store, lease, a_settlement(), **desk) for lease in leases[1:])
        )
        assert outcomes == [Settled.JOURNALED] * 29
        lines = desk["journal"].path.read_bytes().splitlines()
        assert len(lines) == 29
        stack.valkey.start()
        replayer = JournalReplayer(desk["journal"])
        await asyncio.sleep(1)
        assert await replayer.replay(store) == 29
        assert desk["journal"].size == 0
        # Once more, as if the worker had died before emptying the file.
        desk["journal"].path.write_bytes(b"\n".join(lines) + b"\n")
        assert await replayer.replay(store) == 29

    run(url, work)
    assert len(entries(client)) == 30
    assert spend(client) == 30 * 1200
    assert client.hlen(of_org(ACME).lease) == 0


@pytest.mark.outage
def test_settle__answer_lost_and_caller_gone__is_rescued_to_disk_and_counted_once(
    url: str, stack: Any, client: Any, desk: Any
) -> None:
    async def work(store: Valkey) -> None:
        lease = (await services.admit(store, a_request(), **desk)).lease
        stack.valkey.pause()
        task = asyncio.ensure_future(services.settle(store, lease, a_settlement(), **desk))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.4)
        stack.valkey.resume()
        assert desk["journal"].size > 0
        await JournalReplayer(desk["journal"]).replay(store)

    run(url, work, timeout_s=0.2)
    assert len(entries(client)) == 1
    assert spend(client) == 1200


def test_replay__file_of_a_dead_worker__is_sent_and_removed_but_a_living_ones_is_left(
    url: str, client: Any, tmp_path: Path, desk: Any
) -> None:
    folder = tmp_path / "journal"
    living = Journal(folder, "living")

    async def work(store: Valkey) -> None:
        lease = (await services.admit(store, a_request(), **desk)).lease
        store._closed = True
        pipe = store._pipe
        assert pipe is not None
        pipe.drop()
        await asyncio.sleep(0.01)
        assert await services.settle(store, lease, a_settlement(), **desk) is Settled.JOURNALED
        store._closed = False
        store._not_before = 0
        await living.append(_note_line())
        # The dead worker's file: its owner's lock is gone, and its last line was cut short by the crash.
        os.close(desk["journal"]._descriptor)
        desk["journal"]._descriptor = None
        with desk["journal"].path.open("ab") as file:
            file.write(b'{"script":"settle","keys":["a')
        mine = Journal(folder, "mine")
        assert await JournalReplayer(mine).replay(store) == 1
        assert {path.name for path in folder.iterdir()} == {f"{desk['journal'].path.stem}.bad", "living.jsonl"}
        assert living.size > 0
        living.close()
        assert await JournalReplayer(mine).replay(store) == 1
        assert not (folder / "living.jsonl").exists()

    run(url, work)
    assert [kind for kind, _ in entries(client)] == ["settled", "read"]


def _note_line() -> Any:
    from gateway.platform.admission.journal import NoteLine

    return NoteLine(of_org(ACME).usage, "read", json.dumps({"org_id": str(ACME)}))


def test_journal__disk_refuses__says_so_and_writes_it_with_the_next_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        journal = Journal(tmp_path / "j")

        def full(descriptor: int, data: bytes) -> None:
            os.write(descriptor, data[:10])
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("gateway.platform.admission.journal._write", full)
        assert await journal.append(_note_line()) is False
        assert journal.size == 0
        monkeypatch.undo()
        assert await journal.append(_note_line()) is True
        assert len(journal.path.read_bytes().splitlines()) == 2
        assert journal.path.stat().st_mode & 0o777 == 0o600
        journal.close()

    asyncio.run(work())


def test_note__a_thousand_refusals_of_one_key_and_reason__become_one_entry_with_the_count(
    url: str, client: Any, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = desk["journal"]
    past = datetime(2024, 1, 1, 12, 0, 30, tzinfo=UTC)
    monkeypatch.setattr("gateway.core.clock.now", lambda: past)

    async def work(store: Valkey) -> None:
        note = Note(ACME, "refusal", KEY, reason="rate_limited", surface="v1")
        await asyncio.gather(*(services.note(store, note, journal=journal) for _ in range(1000)))
        other = Note(ACME, "refusal", None, reason="Key|Unknown\n", surface="v1")
        await services.note(store, other, journal=journal)

    run(url, work)
    assert entries(client) == []
    assert services.reap(client).refusals == 2
    assert services.reap(client).refusals == 0
    found = sorted((entry["reason"], entry["key_id"], entry["count"], kind) for kind, entry in entries(client))
    assert found == [("key_unknown_", "", 1, "refusal"), ("rate_limited", str(KEY), 1000, "refusal")]
    assert {entry["minute"] for _, entry in entries(client)} == {int(past.timestamp()) // 60}


def test_note__a_read__is_one_entry_with_an_id(url: str, client: Any, desk: Any) -> None:
    async def work(store: Valkey) -> None:
        note = Note(ACME, "read", KEY, surface="v1", data={"target": "mem_1"})
        await services.note(store, note, journal=desk["journal"])

    run(url, work)
    [(kind, entry)] = entries(client)
    assert (kind, entry["target"], entry["key_id"], entry["org_id"]) == ("read", "mem_1", str(KEY), str(ACME))
    assert len(entry["id"]) == 36
