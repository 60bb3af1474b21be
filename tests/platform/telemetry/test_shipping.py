"""The queue between the gateway and whoever listens: bounded, in order, patient, and never in anybody's way."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from gateway.core.errors import UpstreamError
from gateway.platform.telemetry.shipping import Shipper


def on_a_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an asynchronous test on an event loop of its own."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))  # type: ignore[arg-type]

    return run


class Outlet:
    """Takes batches, unless it is away."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.away = False

    async def send(self, batch: Sequence[int]) -> None:
        if self.away:
            raise UpstreamError("away")
        self.batches.append(list(batch))


@on_a_loop
async def test_put__beyond_the_room__drops_and_counts() -> None:
    outlet = Outlet()
    shipper: Shipper[int] = Shipper("test", outlet.send, room=3, batch=2)
    for item in range(5):
        shipper.put(item)
    assert (shipper.waiting, shipper.dropped) == (3, 2)
    await shipper.flush()
    assert outlet.batches == [[0, 1], [2]]
    assert (shipper.sent, shipper.waiting) == (3, 0)


@on_a_loop
async def test_run__an_outlet_that_is_away__gets_all_of_it_in_order_later() -> None:
    outlet = Outlet()
    outlet.away = True
    shipper: Shipper[int] = Shipper("test", outlet.send, batch=10, every_s=0.01)
    loop = asyncio.ensure_future(shipper.run())
    try:
        for item in range(15):
            shipper.put(item)
        await asyncio.sleep(0.1)
        assert (outlet.batches, shipper.waiting, shipper.sent) == ([], 15, 0)
        outlet.away = False
        async with asyncio.timeout(10):
            while shipper.waiting:
                await asyncio.sleep(0.01)
        assert [item for batch in outlet.batches for item in batch] == list(range(15))
    finally:
        loop.cancel()


@on_a_loop
async def test_flush__an_outlet_that_hangs__lets_the_process_end(monkeypatch) -> None:
    monkeypatch.setattr("gateway.platform.telemetry.shipping._LAST_WORDS_S", 0.05)

    async def hang(batch: Sequence[int]) -> None:
        await asyncio.sleep(60)

    shipper: Shipper[int] = Shipper("test", hang)
    shipper.put(1)
    await shipper.flush()
    assert shipper.waiting == 1
