"""While the store does not say whether something changed, the directory asks the database, and trusts itself for a
minute at most."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.core.errors import Unavailable
from tenants import directory as module
from tenants.directory import Directory


async def away() -> int:
    raise Unavailable("The store is away.")


def follow(found: Directory, seconds: float) -> None:
    async def work() -> None:
        task = asyncio.ensure_future(found.follow(away))
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(work())


def test_follow__store_away__asks_the_database_now_and_then_and_stays_fresh(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "_ASK_EVERY_S", 0.3)
    monkeypatch.setattr(module, "_UNHEARD_AFTER_S", 0.2)
    found, loads = Directory(), []

    async def load() -> None:
        loads.append(1)
        found.version = 1

    monkeypatch.setattr(found, "load", load)
    monkeypatch.setattr(module.settings, "IKIRO_EPOCH_POLL_S", 0.01)
    follow(found, 1.2)
    # Once at the start, then at most every 0.3 s, however often the store is asked.
    assert 2 <= len(loads) <= 6
    found._heard_at = module.time.monotonic()
    found.require_fresh()


def test_require_fresh__neither_store_nor_database_answered_for_a_minute__refuses(monkeypatch: Any) -> None:
    found = Directory()
    found.version = 1
    found.require_fresh()
    found._heard_at = module.time.monotonic() - 61
    with pytest.raises(Unavailable) as caught:
        found.require_fresh()
    assert caught.value.code == "directory_stale"
