"""HTTP as the web processes speak it: uvicorn's, with an answer's head and body in one packet, and with a way past it
for requests that an application can answer from their bytes.

uvicorn writes the head when it is told of it and the body when that comes, each with a system call of its own, each
waking the client. Nearly always both come in one turn of the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast
from typing import Protocol as Typed

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# What waits is written at once above this, so that the transport's own limit is felt in the middle of a turn too.
_AT_MOST = 32 * 1024
_STATUS = b"HTTP/1.1 200 OK\r\n"
_FAILED = (
    b"HTTP/1.1 500 Internal Server Error\r\n%bcontent-type: text/plain; charset=utf-8\r\ncontent-length: 21\r\n"
    b"connection: close\r\n\r\nInternal Server Error"
)
# What a lane knows of a request, where its body begins and where it ends.
Found = tuple[bytes, int, int]


class Joined:
    """A transport whose writes of one turn of the loop go out together; in all else the transport it stands for."""

    __slots__ = ("_loop", "_size", "_transport", "_waiting")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._waiting: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Send soon: at the end of this turn, or when enough waits."""
        if not data:
            return
        if not self._waiting:
            self._loop.call_soon(self.flush)
        self._waiting.append(data)
        self._size += len(data)
        if self._size > _AT_MOST:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        waiting = self._waiting
        if waiting:
            self._waiting, self._size = [], 0
            self._transport.write(waiting[0] if len(waiting) == 1 else b"".join(waiting))

    def send(self, data: bytes) -> None:
        """Send at once, after what waits."""
        self.flush()
        self._transport.write(data)

    def close(self) -> None:
        """Send what waits, and hang up."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Hang up at once; what waits is not sent."""
        self._waiting, self._size = [], 0
        self._transport.abort()

    def get_write_buffer_size(self) -> int:
        """Bytes that are not sent yet."""
        return self._size + self._transport.get_write_buffer_size()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Send what waits, and let another protocol take over (WebSockets)."""
        self.flush()
        self._transport.set_protocol(protocol)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Begun(Typed):
    """A request that an application answers by itself. ``begin`` ends in ``Protocol.answer``, ``hand_over`` or
    ``fail``, unless its client is ``gone``; the server may ``cancel`` it."""

    def begin(self) -> None: ...

    def gone(self) -> None: ...

    def cancel(self, msg: object = None) -> bool: ...


class Direct(Typed):
    """An application's way past ASGI. See ``gateway.surfaces.fast_lane``."""

    def read(self, data: bytes) -> Found | None: ...

    def direct(self, data: bytes, found: Found, client: Protocol) -> Begun | None: ...


class Protocol(HttpToolsProtocol):
    """For ``uvicorn.run(http=…)``. Where the application has a ``fast`` lane, what that can answer directly is not read
    by uvicorn: one request at a time, what follows waits; uvicorn counts it among its tasks."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        # Who limits concurrency has uvicorn refuse what is too much.
        self._lane: Direct | None = getattr(self.app, "fast", None) if self.limit_concurrency is None else None
        self._tasks = cast("set[Any]", self.tasks)
        self._lines: bytes = b""
        self._lines_of: list[tuple[bytes, bytes]] | None = None
        self._call: Begun | None = None
        self._whole = b""
        # A request as it came: not complete yet, until so many bytes, or under way; then what follows it is ``_later``.
        self._held, self._until, self._later = bytearray(), 0, b""
        self._known: Mapping[str, Any] | None = None
        self._within = self._leaving = False
        self._idle_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See ``asyncio.Protocol``."""
        self._joined = Joined(transport, self.loop)
        super().connection_made(self._joined)  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        if self._call is not None:
            self._later += data
            self.flow.pause_reading()
            return
        if self._until:
            self._held += data
            if len(self._held) < self._until:
                return
            data = bytes(self._taken())
        if self._lane is None or not self._between() or not self._direct(self._lane, data):
            super().data_received(data)
            self._leave()

    def _between(self) -> bool:
        """Whether what comes now is the beginning of a request, before which nothing is left to be done."""
        if self._within or self.flow.write_paused:
            return False
        return self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr]  # it is None at first

    def _direct(self, lane: Direct, data: bytes) -> bool:
        """Whether uvicorn need not read this."""
        found = lane.read(data)
        if found is None or len(data) > found[2]:
            return False
        if len(data) < found[2]:
            self._held, self._until = bytearray(data), found[2]
            return True
        call = lane.direct(data, found, self)
        if call is None:
            return False
        self._call, self._whole = call, data
        self._tasks.add(call)
        call.begin()
        return True

    def _taken(self) -> bytearray:
        held, self._held, self._until = self._held, bytearray(), 0
        return held

    def answer(self, head: bytes, body: bytes) -> None:
        """See ``fast_lane.direct.Client``."""
        self._done()
        self.server_state.total_requests += 1
        last = b"connection: close\r\n\r\n" if self._leaving else b"\r\n"
        self._joined.send(b"%b%b%b%b%b" % (_STATUS, self._defaults(), head, last, body))
        if self._leaving:
            self._joined.close()
            return
        self._idle_since = self.loop.time()
        if self._later:
            self._go_on()
        elif self.timeout_keep_alive_task is None:
            self._keep_alive(self.timeout_keep_alive)

    def hand_over(self, known: Mapping[str, Any]) -> None:
        """See ``fast_lane.direct.Client``."""
        whole, self._known = self._done(), known
        super().data_received(whole)
        self._leave()
        self._go_on()

    def fail(self) -> None:
        """See ``fast_lane.direct.Client``. As uvicorn does when an application fails."""
        self._done()
        self._joined.send(_FAILED % self._defaults())
        self._joined.close()

    def _defaults(self) -> bytes:
        """What uvicorn says in every head."""
        if self._lines_of is not self.server_state.default_headers:
            self._lines_of = self.server_state.default_headers
            self._lines = b"".join(b"%b: %b\r\n" % line for line in self._lines_of)
        return self._lines

    def _done(self) -> bytes:
        self._tasks.discard(self._call)
        whole, self._call, self._whole = self._whole, None, b""
        return whole

    def _go_on(self) -> None:
        data, self._later = self._later, b""
        self.flow.resume_reading()
        if data:
            self.data_received(data)

    def on_message_begin(self) -> None:
        """See ``httptools``."""
        super().on_message_begin()
        self._within = True
        if self._known is not None:
            cast("dict[str, Any]", self.scope).update(self._known)
            self._known = None

    def on_message_complete(self) -> None:
        """See ``httptools``."""
        super().on_message_complete()
        self._within = False

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        call, self._later = self._call, b""
        self._taken()
        if call is not None:
            self._done()
            call.gone()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """See uvicorn: what is under way is answered, and is the last."""
        self._leaving = True
        if self._call is None and not self._until:
            super().shutdown()

    def _leave(self) -> None:
        if self._leaving and self._call is None and not self._until:
            super().shutdown()

    def _keep_alive(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        """See uvicorn. The timer is not set anew for every direct call: it looks when the last one ended."""
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if self._call is not None or self._until:
            left = self.timeout_keep_alive
        if left > 0.001:
            self._keep_alive(left)
        else:
            super().timeout_keep_alive_handler()
