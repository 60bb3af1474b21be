"""One socket to the store: commands out in order, replies back in the same order.

A pipe lives from one connect to its loss and is never reused, so a reply can only belong to a command of the same
pipe. A waiter that gives up (cancelled or timed out) leaves its place in the queue: its reply is dropped when it comes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

import hiredis

from gateway.core.valkey.errors import ScriptMissing, StoreUnavailable, from_reply
from gateway.core.valkey.packing import Words, pack

# A pipe whose oldest command is this many timeouts late is taken for dead and dropped.
_STALLED_TIMEOUTS = 4
# A pipe on which so many looks in a row found late answers is too slow to be used; a new one after a failure has to
# prove itself.
_LATE_AT_MOST, _LATE_ON_PROBATION = 3, 1
# A look that comes so much later than planned says that this process was held up, not that the server was.
_HELD_UP_S = 0.02
# Above this many unsent bytes new commands are refused rather than piled up in memory.
_WRITE_BUFFER_BYTES = 8 * 1024 * 1024


class Asker(Protocol):
    """Who asks without waiting in a task. What ``came`` raises is its own affair: it must not."""

    def came(self, reply: Any) -> None:
        """The reply, as it is read."""
        ...

    def lost(self, error: BaseException) -> None:
        """There is none, or an error."""
        ...


class Told:
    """Stands in a future's place for an ``Asker``."""

    __slots__ = ("_asker", "_over")

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._over = False

    def done(self) -> bool:
        return self._over

    def set_result(self, reply: Any) -> None:
        self._over = True
        self._asker.came(reply)

    def set_exception(self, error: BaseException) -> None:
        self._over = True
        asyncio.get_running_loop().call_soon(self._asker.lost, error)


class _Pending:
    """A command waiting for its reply. ``fallback`` is sent instead when the server does not know the script."""

    __slots__ = ("deadline", "fallback", "future")

    def __init__(self, future: asyncio.Future[Any] | Told, deadline: float, fallback: Words | None) -> None:
        self.future = future
        self.deadline = deadline
        self.fallback = fallback


class Pipe(asyncio.Protocol):
    """The protocol object. ``send`` queues; everything queued in one loop tick is one write."""

    def __init__(self, *, timeout_s: float, max_pending: int, probation: bool = False) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(replyError=from_reply)
        self._timeout = timeout_s
        self._max_pending = max_pending
        self._pending: deque[_Pending] = deque()
        self._out: list[bytes] = []
        self._written: list[Callable[[], None]] = []
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._look_at = 0.0
        self._full = False
        self._late = 0
        self._most_late = _LATE_ON_PROBATION if probation else _LATE_AT_MOST
        self.alive = False
        self.slow = False
        self.in_time = False
        self.commands_sent = 0

    def send(self, packed: bytes, fallback: Words | None = None) -> asyncio.Future[Any]:
        """Queue a packed command; the future gives its reply. Raises StoreUnavailable when it cannot even be queued."""
        self._check()
        future: asyncio.Future[Any] = self._loop.create_future()
        self._queue(_Pending(future, self._loop.time() + self._timeout, fallback), packed)
        return future

    def tell(self, packed: bytes, asker: Asker, written: Callable[[], None] | None = None) -> None:
        """``send`` for who does not wait in a task. ``written`` is called once the command is on its way, or is known
        not to be. Raises likewise."""
        self._check()
        self._queue(_Pending(Told(asker), self._loop.time() + self._timeout, None), packed)
        if written is not None:
            self._written.append(written)

    def _check(self) -> None:
        if not self.alive:
            raise StoreUnavailable("The connection to the store is lost.")
        if self._full or len(self._pending) >= self._max_pending:
            raise StoreUnavailable("Too many commands wait for the store.")

    def _queue(self, pending: _Pending, packed: bytes) -> None:
        self.commands_sent += 1
        self._pending.append(pending)
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(packed)
        if self._timer is None:
            self._look(pending.deadline)

    def _look(self, at: float) -> None:
        self._look_at = at
        self._timer = self._loop.call_at(at, self._sweep)

    def _flush(self) -> None:
        if self._out and self._transport is not None:
            self._transport.write(self._out[0] if len(self._out) == 1 else b"".join(self._out))
            self._out.clear()
        if self._written:
            written, self._written = self._written, []
            for told in written:
                told()

    def _sweep(self) -> None:
        """Fail what is overdue. Deadlines only grow along the queue, so the first that is in time ends the look."""
        self._timer = None
        if not self._pending:
            return
        now = self._loop.time()
        if now - self._look_at > _HELD_UP_S:
            # What the server answered meanwhile may wait in the socket: read it before judging.
            self._look(now + _HELD_UP_S / 4)
            return
        if now - self._pending[0].deadline > self._timeout * (_STALLED_TIMEOUTS - 1):
            self.drop()
            return
        following, missed = now + self._timeout, 0
        for pending in self._pending:
            if pending.deadline > now:
                following = pending.deadline
                break
            if not pending.future.done():
                late = StoreUnavailable(f"The store did not answer within {self._timeout:g} s.", maybe_applied=True)
                pending.future.set_exception(late)
                missed = 1
        self._late += missed
        if self._late >= self._most_late:
            self.slow = True
            self.drop()
            return
        # Not sooner than a tenth of the timeout: many deadlines close together are one look.
        self._look(max(following, now + self._timeout / 10))

    def drop(self) -> None:
        """Close at once; whatever waits fails."""
        self.alive = False
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)
        self.alive = True

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False

    def data_received(self, data: bytes) -> None:
        reader, waiting = self._reader, self._pending
        reader.feed(data)
        try:
            while (reply := reader.gets()) is not False:
                pending = waiting.popleft()
                if isinstance(reply, Exception):
                    self._refused(pending, reply)
                elif not pending.future.done():
                    pending.future.set_result(reply)
                    self._late, self.in_time = 0, True
        except (hiredis.ProtocolError, IndexError):
            # Bytes that are no reply, or a reply nobody asked for: nothing after it can be trusted.
            self.drop()

    def _refused(self, pending: _Pending, error: Exception) -> None:
        if pending.future.done():
            # Nor is the script's source sent: whoever gave up may have sent the contrary already.
            return
        if isinstance(error, ScriptMissing) and pending.fallback is not None and self.alive:
            fallback, pending.fallback = pending.fallback, None
            pending.deadline = self._loop.time() + self._timeout
            self._queue(pending, pack(fallback))
        else:
            pending.future.set_exception(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self.alive = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        written = len(self._pending) - len(self._out)
        self._out.clear()
        for place, pending in enumerate(self._pending):
            if not pending.future.done():
                lost = StoreUnavailable("The connection to the store was lost.", maybe_applied=place < written)
                pending.future.set_exception(lost)
        self._pending.clear()
