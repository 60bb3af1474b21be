"""One HTTP/1.1 connection and the one exchange that runs on it. Parsing is llhttp's (through httptools).

An exchange owns its chunks: a connection returns to the pool only after its message is complete *and* its reader is
done, so two callers can never be given parts of each other's answer. Whatever looks odd closes the connection instead
of reusing it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

import httptools

from gateway.core.egress.errors import UpstreamBroken
from gateway.core.errors import UpstreamError

_MAX_HEAD = 64 * 1024
_HIGH_WATER = 256 * 1024


class Waiter(Protocol):
    """Who is woken by what arrives: a future, or whoever stands in the place of one."""

    def done(self) -> bool: ...

    def set_result(self, result: None, /) -> None: ...


class Exchange:
    """What has arrived of one answer. Filled by the connection, read by exactly one task."""

    __slots__ = (
        "buffered",
        "chunks",
        "complete",
        "error",
        "head_done",
        "headers",
        "started",
        "status",
        "until_close",
        "waiter",
    )

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.chunks: deque[bytes] = deque()
        self.buffered = 0
        self.started = self.head_done = self.complete = self.until_close = False
        self.error: UpstreamError | None = None
        self.waiter: Waiter | None = None

    def wake(self) -> None:
        waiter, self.waiter = self.waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def fail(self, error: UpstreamError) -> None:
        if self.error is None and not self.complete:
            self.error = error
        self.wake()


class Connection(asyncio.Protocol):
    """Serves one exchange after the other. ``usable`` says whether the pool may hand it out again."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.exchange: Exchange | None = None
        self.served = 0
        self.idle_since = 0.0
        self._parser: httptools.HttpResponseParser | None = None
        self._closed = self._spoiled = self._paused = False
        self._bodiless = False
        self._head_bytes = 0

    # --- the pool's side ---

    @property
    def usable(self) -> bool:
        transport = self.transport
        return not (
            self._closed
            or self._spoiled
            or transport is None
            or transport.is_closing()
            or transport.get_write_buffer_size()
        )

    def begin(self, request: bytes, body: bytes, *, bodiless: bool) -> Exchange:
        """Write a request. ``bodiless``: its answer has no body whatever its headers say (HEAD)."""
        if self.transport is None or self.exchange is not None:
            raise RuntimeError("the connection is busy")
        self.exchange = exchange = Exchange()
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        self._head_bytes, self._bodiless = 0, bodiless
        self.served += 1
        if body and len(body) < 65536:
            self.transport.write(request + body)
        else:
            self.transport.write(request)
            if body:
                self.transport.write(body)
        return exchange

    def release(self) -> bool:
        """The reader is done. True when the connection may serve another exchange."""
        exchange, self.exchange = self.exchange, None
        return exchange is not None and exchange.complete and exchange.error is None and self.usable

    def abort(self) -> None:
        """Close at once, without flushing: the upstream sees it immediately and stops working for us."""
        self._spoiled = True
        if self.transport is not None:
            self.transport.abort()

    def resume(self) -> None:
        if self._paused and self.transport is not None and not self._closed:
            self._paused = False
            self.transport.resume_reading()

    # --- asyncio's side ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport) and not hasattr(transport, "write"):
            raise TypeError("a stream transport is needed")
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        exchange, parser = self.exchange, self._parser
        if exchange is None or parser is None or exchange.complete:
            self.abort()  # nobody asked: an answer that belongs to no request must never meet the next one
            return
        exchange.started = True
        if not exchange.head_done:
            self._head_bytes += len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserError as error:
            exchange.fail(UpstreamBroken(f"The upstream's answer is not HTTP: {error}."))
            self.abort()
            return
        if not exchange.head_done and self._head_bytes > _MAX_HEAD:
            exchange.fail(UpstreamBroken("The upstream's headers are too large."))
            self.abort()
            return
        if exchange.buffered > _HIGH_WATER and not self._paused and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()
        exchange.wake()

    def eof_received(self) -> bool:
        self._spoiled = True
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        self._parser = None  # it knows this object as this knows it
        exchange = self.exchange
        if exchange is None:
            return
        if exchange.until_close and exc is None:
            exchange.complete = True
            exchange.wake()
        else:
            exchange.fail(UpstreamBroken("The upstream closed the connection before its answer was complete."))

    # --- llhttp's side ---

    def on_message_begin(self) -> None:
        if self.exchange is not None and self.exchange.complete:
            self._spoiled = True

    def on_header(self, name: bytes, value: bytes) -> None:
        exchange = self.exchange
        if exchange is not None and not exchange.complete and not exchange.head_done:
            exchange.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        exchange, parser = self.exchange, self._parser
        if exchange is None or parser is None or exchange.complete:
            return
        status = parser.get_status_code()
        if status < 200:
            exchange.headers.clear()
            self._spoiled = self._spoiled or status == 101
            return
        exchange.status, exchange.head_done = status, True
        framed = False
        for name, value in exchange.headers:
            framed = framed or name == b"content-length"
            framed = framed or (name == b"transfer-encoding" and b"chunked" in value.lower())
        if self._bodiless:
            exchange.complete = self._spoiled = True  # llhttp would wait for a body, so this connection ends here
        elif not framed and status not in (204, 304):
            exchange.until_close = self._spoiled = True
        if not parser.should_keep_alive():
            self._spoiled = True

    def on_body(self, body: bytes) -> None:
        exchange = self.exchange
        if exchange is not None and not exchange.complete:
            exchange.chunks.append(body)
            exchange.buffered += len(body)

    def on_message_complete(self) -> None:
        exchange = self.exchange
        if exchange is not None and exchange.head_done:
            exchange.complete = True
