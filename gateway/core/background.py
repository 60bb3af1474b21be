"""The only place that starts asyncio tasks which outlive a request.

``Group`` runs named loops for as long as the process serves and restarts one that fails, with a growing pause. They
carry
explicit tenant ids and touch no ORM. ``finish`` lets a piece of accounting end even when the request's own task is
cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog

log = structlog.get_logger(__name__)
T = TypeVar("T")
_MAX_PAUSE_S = 10.0
_finishing: set[asyncio.Task[Any]] = set()


class Group:
    """A supervised set of loops, owned by the lifespan of one process."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def run(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Start ``loop`` and keep it running until ``stop``."""
        self._tasks.append(asyncio.create_task(self._supervise(name, loop), name=name))

    async def _supervise(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        pause = 0.1
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await loop()
                return
            except Exception:
                log.exception("background.failed", task=name)
            if asyncio.get_running_loop().time() - started > _MAX_PAUSE_S:
                pause = 0.1
            await asyncio.sleep(pause)
            pause = min(pause * 2, _MAX_PAUSE_S)

    async def stop(self) -> None:
        """Cancel every loop and wait for the accounting that is still ending."""
        tasks, self._tasks = self._tasks, []  # a group that is started again begins anew, on whatever loop that is
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if _finishing:
            await asyncio.wait(set(_finishing), timeout=10)


def start(work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
    """Start a bounded piece of work that several requests wait for; it is awaited at shutdown."""
    task = asyncio.create_task(work, name=name)
    _finishing.add(task)
    task.add_done_callback(_finishing.discard)
    return task


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Await ``work`` so that it ends even if the awaiting task is cancelled meanwhile (a client that hung up)."""
    return await asyncio.shield(start(work, name="finish"))


async def or_after(items: AsyncIterator[T], seconds: float, filler: T) -> AsyncIterator[T]:
    """The items of an iterator, and ``filler`` each time none came for ``seconds``. Closes the iterator however it
    ends."""
    pending: asyncio.Task[T] | None = None
    try:
        while True:
            if pending is None:
                pending = asyncio.ensure_future(anext(items))
            done, _ = await asyncio.wait((pending,), timeout=seconds)
            if not done:
                yield filler
                continue
            task, pending = pending, None
            try:
                item = task.result()
            except StopAsyncIteration:
                return
            yield item
    finally:
        if pending is not None:
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)
        await items.aclose()  # type: ignore[attr-defined]
