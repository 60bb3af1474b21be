"""A bounded queue and the loop that empties it to somewhere outside. Putting never waits; what does not fit is dropped
and counted."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import structlog

from gateway.core.errors import GatewayError

log = structlog.get_logger(__name__)
T = TypeVar("T")
_SLOWEST_S = 30.0
_LAST_WORDS_S = 3.0


class Shipper(Generic[T]):
    """Sends what was put, oldest first, at most ``batch`` at a time and every ``every_s`` seconds.

    ``send`` raises GatewayError when the other side is away; the batch is then tried again with a growing pause, and
    the newest are dropped once ``room`` is used up. ``put`` may be called from any thread.
    """

    def __init__(
        self,
        name: str,
        send: Callable[[Sequence[T]], Awaitable[None]],
        *,
        room: int = 10_000,
        batch: int = 200,
        every_s: float = 1.0,
    ) -> None:
        self.name, self.sent, self.dropped = name, 0, 0
        self._send, self._room, self._batch, self._every_s = send, room, batch, every_s
        self._queue: deque[T] = deque()

    def put(self, item: T) -> None:
        """Queue one item, or drop it when there is no room."""
        if len(self._queue) < self._room:
            self._queue.append(item)
        else:
            self.dropped += 1

    @property
    def waiting(self) -> int:
        return len(self._queue)

    async def run(self) -> None:
        """Ship for as long as the process serves; ends only by cancellation, after which ``flush`` may follow."""
        pause = self._every_s
        while True:
            await asyncio.sleep(pause)
            pause = self._every_s if await self._ship() else min(pause * 2, _SLOWEST_S)

    async def flush(self) -> None:
        """Send what is left, once and not for long: the process is about to end."""
        try:
            await asyncio.wait_for(self._ship(), _LAST_WORDS_S)
        except TimeoutError:
            log.warning("telemetry.lost", outlet=self.name, items=len(self._queue))

    async def _ship(self) -> bool:
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(self._batch, len(self._queue)))]
            try:
                await self._send(batch)
            except GatewayError as error:
                self._queue.extendleft(reversed(batch))
                log.warning("telemetry.unreachable", outlet=self.name, code=error.code, waiting=len(self._queue))
                return False
            except BaseException:
                self._queue.extendleft(reversed(batch))
                raise
            self.sent += len(batch)
        return True
