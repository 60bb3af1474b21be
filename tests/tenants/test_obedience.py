"""What each web process says it obeys, and what is made of its silence."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from django.conf import settings

from gateway.core.valkey import Valkey
from tenants import obedience
from tenants.obedience import Obeyed, Reporter


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """Apart from the workers of a running product."""
    monkeypatch.setattr(obedience, "_WORKERS", f"test:{tmp_path.name}")


def run(work: Callable[[Valkey], Awaitable[None]]) -> None:
    async def with_store() -> None:
        store = Valkey(settings.IKIRO_REDIS_URL)
        try:
            await work(store)
        finally:
            await store.close()

    asyncio.run(with_store())


async def of(store: Valkey, version: int) -> dict[str, Obeyed]:
    return {one.worker: one for one in await obedience.of_version(store, version)}


def test_workers__of_different_versions__each_obeys_what_it_has_loaded() -> None:
    async def work(store: Valkey) -> None:
        one, two = Reporter(), Reporter()
        await one.report(store, -1)  # has loaded nothing yet
        assert await of(store, 1) == {}
        for version in (5, 5, 7, 9):
            await one.report(store, version)
        await two.report(store, 6)
        assert one.worker != two.worker
        at_seven = await of(store, 7)
        assert (at_seven[one.worker].obeys, at_seven[two.worker].obeys) == (True, False)
        assert (at_seven[one.worker].version, at_seven[one.worker].from_start) == (9, False)
        assert at_seven[two.worker].obeyed_at is None
        await two.report(store, 8)
        later = await of(store, 7)
        assert later[two.worker].obeys
        assert later[two.worker].obeyed_at >= later[one.worker].obeyed_at
        assert (await of(store, 5))[one.worker].from_start
        await one.leave(store)
        assert set(await of(store, 7)) == {two.worker}
        await two.leave(store)

    run(work)


def test_worker__that_is_silent__obeys_nothing_until_it_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(store: Valkey) -> None:
        worker = Reporter()
        await worker.report(store, 5)
        monkeypatch.setattr(obedience, "_SEEN_MS", -1)
        assert [one.obeys for one in await obedience.of_version(store, 5)] == [False]
        monkeypatch.setattr(obedience, "_KEPT_MS", -1)
        assert await obedience.of_version(store, 5) == []
        await worker.leave(store)

    run(work)


def test_worker__with_a_longer_history_than_is_kept__obeys_without_saying_since_when(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(store: Valkey) -> None:
        worker = Reporter()
        for version in (1, 2, 3, 4):
            await worker.report(store, version)
        (old,), (new,) = await obedience.of_version(store, 1), await obedience.of_version(store, 4)
        assert (old.obeys, old.obeyed_at, old.from_start) == (True, None, False)
        assert new.obeyed_at is not None
        await worker.leave(store)

    monkeypatch.setattr(obedience, "_HISTORY", 2)
    run(work)
