"""What is read once for each version of its owner and kept in memory, for whoever asks on the way of every request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar
from uuid import UUID

from gateway.core import background

T = TypeVar("T")
MOST = 2_048


class Versioned(Generic[T]):
    """The newest known value of each owner, at most ``MOST`` of them. Used from one event loop at a time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._kept: dict[UUID, tuple[int, T]] = {}
        self._loading: dict[UUID, tuple[int, asyncio.Task[T]]] = {}

    async def of(self, owner: UUID, version: int, load: Callable[[T | None], Awaitable[T]]) -> T:
        """The owner's value as of ``version`` or later. ``load`` is given the value before; all who ask meanwhile for
        the same version share one load. Raises what it raises."""
        known = self._kept.get(owner)
        if known is not None and known[0] >= version:
            return known[1]
        under_way, task = self._loading.get(owner, (-1, None))
        if task is None or task.done() or under_way < version or task.get_loop().is_closed():
            task = background.start(self._load(owner, version, load), name=self._name)
            self._loading[owner] = version, task
        return await asyncio.shield(task)

    async def _load(self, owner: UUID, version: int, load: Callable[[T | None], Awaitable[T]]) -> T:
        before = self._kept.get(owner)
        try:
            made = await load(before[1] if before is not None else None)
        finally:
            if self._loading.get(owner, (-1, None))[0] == version:
                self._loading.pop(owner, None)
        newest = self._kept.get(owner)
        if newest is not None and newest[0] > version:
            return newest[1]  # a later load was faster
        self._kept.pop(owner, None)
        while len(self._kept) >= MOST:
            del self._kept[next(iter(self._kept))]  # whoever was loaded longest ago
        self._kept[owner] = version, made
        return made
