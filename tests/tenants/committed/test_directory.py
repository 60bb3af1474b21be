"""The directory of a worker: nothing that was committed stays unseen, whoever died on the way."""

from __future__ import annotations

import asyncio
import random
import threading
import time

from django.conf import settings
from django.db import connections, transaction

from gateway.core.journal import Actor
from gateway.core.valkey import sync_client
from ikiro.scheduler import jobs
from tenants import directory, keys, selectors, services
from tenants import epoch as epochs
from tenants.context import scope
from tenants.types import ApiKey, OrgRef

BOSS = Actor("operator", "test")


async def epoch() -> int:
    return await asyncio.to_thread(lambda: int(sync_client(settings.IKIRO_REDIS_URL).get(directory.EPOCH_KEY) or 0))


async def until(check) -> None:
    async with asyncio.timeout(5):
        while not check():
            await asyncio.sleep(0.02)


def make(ref: OrgRef) -> keys.NewKey:
    with scope(ref):
        return keys.create(name="test", mode="live", actor=BOSS)


def test_change__announced__reaches_a_worker_within_a_second(acme: OrgRef, globex: OrgRef) -> None:
    worker = directory.Directory()

    async def run() -> float:
        following = asyncio.create_task(worker.follow(epoch))
        await until(lambda: worker.organization(acme.id) is not None)
        made = await asyncio.to_thread(make, acme)
        await until(lambda: worker.key(made.key.public) is not None)
        loads = worker.loads
        await asyncio.to_thread(services.suspend, acme, actor=BOSS)
        changed = time.monotonic()
        await until(lambda: worker.organization(acme.id).suspended_at is not None)
        took = time.monotonic() - changed
        assert worker.loads == loads + 1
        assert worker.organization(globex.id).suspended_at is None
        following.cancel()
        return took

    assert asyncio.run(run()) < 1


def test_change__whose_process_died_before_announcing__is_healed_by_the_scheduler(
    acme: OrgRef, globex: OrgRef, monkeypatch
) -> None:
    worker = directory.Directory()

    async def run() -> None:
        following = asyncio.create_task(worker.follow(epoch))
        await until(lambda: worker.organization(acme.id) is not None)
        with monkeypatch.context() as patch:
            patch.setattr(epochs, "announce", lambda version: None)
            await asyncio.to_thread(services.suspend, acme, actor=BOSS)
        await asyncio.sleep(4 * settings.IKIRO_EPOCH_POLL_S)
        assert worker.organization(acme.id).suspended_at is None
        await asyncio.to_thread(jobs.announce_directory)
        await until(lambda: worker.organization(acme.id).suspended_at is not None)
        assert worker.organization(globex.id).suspended_at is None
        following.cancel()

    asyncio.run(run())


def test_announce__an_older_version__does_not_turn_the_epoch_back(acme: OrgRef) -> None:
    jobs.announce_directory()
    now = asyncio.run(epoch())
    directory.announce(now - 1)
    assert asyncio.run(epoch()) == now
    assert selectors.directory_version() == now


def test_key_made_elsewhere__asked_for_before_the_announcement__is_found(acme: OrgRef, monkeypatch) -> None:
    worker = directory.Directory()

    async def run() -> None:
        await worker.load()
        monkeypatch.setattr(epochs, "announce", lambda version: None)
        made = await asyncio.to_thread(make, acme)
        assert worker.key(made.key.public) is None
        loads = worker.loads
        found = await asyncio.gather(*(worker.find_missing(made.key.public) for _ in range(50)))
        assert [key.id for key in found] == [made.key.id] * 50
        assert worker.loads <= loads + 2

    asyncio.run(run())
    jobs.announce_directory()


def test_load__while_an_older_one_is_still_reading__sees_what_was_committed_before_it(
    acme: OrgRef, monkeypatch
) -> None:
    worker, read, slow = directory.Directory(), selectors.directory_since, threading.Event()

    def reads_then_waits(version: int):
        found = read(version)
        if not slow.is_set():  # the first read only: it has its answer, and is slow to bring it
            slow.set()
            time.sleep(1)
        return found

    async def run() -> None:
        monkeypatch.setattr(selectors, "directory_since", reads_then_waits)
        following = asyncio.create_task(worker.load())
        await until(slow.is_set)
        made = await asyncio.to_thread(make, acme)
        loads = await asyncio.gather(worker.load(), worker.load(), return_exceptions=True)
        assert (loads, following.done(), worker.loads) == ([None, None], True, 2)
        assert worker.key(made.key.public) is not None

    asyncio.run(run())


def test_changes__many_at_once_with_slow_commits__none_is_ever_skipped(acme: OrgRef, globex: OrgRef) -> None:
    """A reader that follows "everything above N" must not pass over a version that commits late."""
    seen: dict[str, ApiKey] = {}
    writing = threading.Event()

    def write(ref: OrgRef) -> None:
        for _ in range(8):
            with scope(ref), transaction.atomic():
                keys.create(name="test", mode="live", actor=BOSS)
                time.sleep(random.uniform(0, 0.02))
        connections.close_all()

    def read() -> None:
        version = -1
        while True:
            last = writing.is_set()
            changes = selectors.directory_since(version)
            seen.update({key.public: key for key in changes.keys})
            assert changes.version >= version
            version = changes.version
            if last:
                connections.close_all()
                return

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(ref,)) for ref in (acme, globex) * 3]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join(60)
    writing.set()
    reader.join(10)
    for ref in (acme, globex):
        made = selectors.keys_page(ref, limit=200, after=None).data
        assert len(made) == 24
        assert {key.public for key in made} <= set(seen)
    versions = [key.version for key in seen.values()]
    assert len(versions) == len(set(versions))
