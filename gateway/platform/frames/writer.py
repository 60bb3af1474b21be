"""Keeping a stream's frames while it goes to its caller, without holding it up.

A writer has one command under way at most; what comes meanwhile is the next one, so a fast stream costs a command per
round trip and not per frame. When the store fails, the writer gives up by itself: the stream goes on, and whoever
follows it is told that the rest is lost.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any
from uuid import UUID

import msgspec
import structlog
from django.conf import settings

from gateway.core.errors import Unavailable
from gateway.core.valkey import Valkey
from gateway.platform.frames.keys import of_stream, store
from gateway.platform.frames.scripts import APPEND, RENEW
from gateway.platform.frames.types import KEPT_S, STREAM_BYTES, End, Head

log = structlog.get_logger(__name__)
# Lua hands so many words at once to a command; a batch stays far below.
_FRAMES_AT_ONCE = 1_000
_open: set[Writer] = set()


class _Room:
    """The bytes that this process may have in the store at a time. Given back when the frames have expired."""

    def __init__(self) -> None:
        self._taken = 0

    def take(self, size: int) -> bool:
        if self._taken + size > settings.IKIRO_STREAMS_MB * 1024 * 1024:
            return False
        self._taken += size
        return True

    def give_back(self, size: int) -> None:
        self._taken -= size


_room = _Room()


class Writer:
    """One stream's keeper. Frames are numbered from 1 in the order that they are added."""

    def __init__(self, org_id: UUID, request_id: UUID, head: Head, valkey: Valkey | None) -> None:
        keys = of_stream(org_id, request_id)
        self._keys = (keys.list, keys.alive, keys.who)
        self._head: bytes = msgspec.json.encode(head)
        self._valkey = valkey
        self._waiting: list[bytes] = []
        self._sizes: deque[tuple[int, int]] = deque()
        self._held = self._room_taken = self._number = self._kept_from = 0
        self._under_way: asyncio.Future[Any] | None = None
        self._ended: End | None = None
        self._done = asyncio.Event()
        if valkey is None:
            self._done.set()
        else:
            _open.add(self)

    @property
    def keeping(self) -> bool:
        """Whether frames still reach the store."""
        return self._valkey is not None

    @property
    def number(self) -> int:
        """Of the last frame that was added."""
        return self._number

    def add(self, frame: bytes) -> None:
        """Keep one frame. Never waits and never fails."""
        self._number += 1
        if self._valkey is None:
            return
        if not _room.take(len(frame)):
            self._give_up("no room")
            return
        self._room_taken += len(frame)
        self._waiting.append(frame)
        if self._under_way is None:
            self._send()

    async def end(self, how: End) -> None:
        """The stream is over. Returns when the store has all of it, or has failed."""
        self._ended = how
        if self._under_way is None:
            self._send()
        await self._done.wait()

    def _send(self) -> None:
        if self._valkey is None:
            return
        batch, self._waiting = self._waiting[:_FRAMES_AT_ONCE], self._waiting[_FRAMES_AT_ONCE:]
        last = self._number - len(self._waiting)
        ending = self._ended if self._ended is not None and not self._waiting else None
        self._make_room(last, sum(map(len, batch)))
        words = (KEPT_S, 0 if ending else _lease_ms(), self._kept_from, self._head, last, ending or "", *batch)
        try:
            self._under_way = self._valkey.submit_script(APPEND, self._keys, words)
        except Unavailable as error:
            self._give_up(error.detail)
            return
        self._head = b""
        self._under_way.add_done_callback(lambda sent: self._sent(sent, ending is not None))

    def _sent(self, sent: asyncio.Future[Any], last: bool) -> None:
        self._under_way = None
        error = None if sent.cancelled() else sent.exception()
        if error is not None:
            self._give_up(str(error))
        elif last:
            self._close()
        elif self._waiting or self._ended is not None:
            self._send()

    def _make_room(self, last: int, size: int) -> None:
        """Forget the oldest batches once the stream is larger than what is kept of it."""
        self._sizes.append((last, size))
        self._held += size
        while self._held > STREAM_BYTES and len(self._sizes) > 1:
            number, forgotten = self._sizes.popleft()
            self._held -= forgotten
            self._kept_from = number + 1

    def _give_up(self, reason: str) -> None:
        if self._valkey is not None:
            log.warning("frames.not_kept", list=self._keys[0], reason=reason)
        self._waiting.clear()
        self._close()

    def _close(self) -> None:
        if self._valkey is not None:
            asyncio.get_running_loop().call_later(KEPT_S, _room.give_back, self._room_taken)
        self._valkey = None
        _open.discard(self)
        self._done.set()

    def renew(self) -> None:
        """Say that the stream still has its worker. A renewal that fails is made up for by the next."""
        if self._valkey is not None and self._number:
            try:
                renewed = self._valkey.submit_script(RENEW, self._keys, (KEPT_S, _lease_ms()))
            except Unavailable as error:
                log.debug("frames.not_renewed", error=error.detail)
                return
            renewed.add_done_callback(_seen)


def _seen(renewed: asyncio.Future[Any]) -> None:
    if not renewed.cancelled() and (error := renewed.exception()) is not None:
        log.debug("frames.not_renewed", error=str(error))


async def begin(org_id: UUID, request_id: UUID, head: Head) -> Writer:
    """The keeper of a stream that is about to begin; one that keeps nothing while the store is away."""
    valkey: Valkey | None = store()
    try:
        await store().ready()
    except Unavailable as error:
        log.debug("frames.store_away", error=error.detail)
        valkey = None
    return Writer(org_id, request_id, head, valkey)


async def keep_alive() -> None:
    """A background loop: renew the streams of this process thrice in their lease."""
    while True:
        await asyncio.sleep(_lease_ms() / 3000)
        for writer in list(_open):
            writer.renew()


def _lease_ms() -> int:
    return int(float(settings.IKIRO_LEASE_TTL_S) * 1000)
