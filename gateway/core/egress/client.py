"""``open``: the one way out. See the package's docstring for what it guarantees."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType

from gateway.core.egress.connection import Connection, Exchange, Waiter
from gateway.core.egress.errors import EgressRefused, UpstreamBroken, UpstreamStalled, UpstreamTimeout
from gateway.core.egress.pool import Lease, Pool, current_pool
from gateway.core.egress.target import Target, parse_url

MB = 1024 * 1024
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "upgrade", "te"})
# A kept connection that its server closes in the very moment we write to it. Later than this, the server may have
# worked.
STALE_S = 0.25


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds. ``first_byte`` runs from the written request to the first byte of the answer's body, ``stall``
    between later ones.
    """

    connect: float = 5.0
    first_byte: float = 120.0
    stall: float = 60.0
    total: float = 600.0


class Response:
    """An answer whose head has arrived. ``headers``: names in lower case, repeated ones joined by a comma."""

    def __init__(self, connection: Connection, exchange: Exchange, timeouts: Timeouts, limit: int, pool: Pool) -> None:
        self._connection, self._exchange, self._pool, self._loop = connection, exchange, pool, pool.loop
        started = self._loop.time()
        self._timeouts, self._started, self._limit = timeouts, started, limit
        # May be changed while the answer runs: a model thinks longer before its first word than between later ones.
        self.stall = timeouts.stall
        self._taken = 0
        self._late = False
        # The same of an answer that is no 2xx, for ``advance``.
        self.most_of_error: int | None = None

    async def head(self) -> None:
        while not self.head_came():
            await self._wait()

    def head_came(self) -> bool:
        """Whether the head is there, looked at for the first time. Raises what went wrong."""
        exchange = self._exchange
        if not exchange.head_done:
            if exchange.error is not None:
                raise exchange.error
            return False
        self.status = exchange.status
        for name, value in exchange.headers:
            if name == b"content-encoding" and value.strip().lower() not in (b"identity", b""):
                raise UpstreamBroken("The upstream compressed its answer although that was not asked for.")
        return True

    @property
    def headers(self) -> Mapping[str, str]:
        """The head's lines. Few callers look, so they are put together when one does."""
        headers: dict[str, str] = {}
        for raw_name, raw_value in self._exchange.headers:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return headers

    async def next_chunk(self) -> bytes | None:
        """What has arrived since the last call, as soon as there is any; None at the end of a complete body.

        Raises UpstreamTimeout, UpstreamStalled, or UpstreamBroken (broken off, or more than the body limit).
        """
        exchange = self._exchange
        while not exchange.chunks:
            if exchange.complete:
                return None
            if exchange.error is not None:
                raise exchange.error
            await self._wait()
        return self.arrived()

    def arrived(self) -> bytes:
        """What has arrived since the last call. Raises likewise."""
        exchange = self._exchange
        data = exchange.chunks.popleft() if len(exchange.chunks) == 1 else b"".join(exchange.chunks)
        exchange.chunks.clear()
        exchange.buffered = 0
        self._connection.resume()
        self._taken += len(data)
        if self._taken > self._limit:
            raise UpstreamBroken(f"The upstream's answer is larger than {self._limit} bytes.")
        if self._loop.time() - self._started > self._timeouts.total:
            raise UpstreamTimeout(f"The upstream took longer than {self._timeouts.total:g} s.")
        return data

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body in pieces of arbitrary size."""
        while (data := await self.next_chunk()) is not None:
            yield data

    async def read(self, limit: int | None = None) -> bytes:
        """The whole body. Raises UpstreamBroken when it has more than ``limit`` bytes (default: the call's limit)."""
        if limit is not None:
            self.at_most(limit)
        parts = []  # not ``async for``: the loop books every async generator, which costs more than joining
        while (data := await self.next_chunk()) is not None:
            parts.append(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def advance(self, parts: list[bytes]) -> bool:
        """Add what has arrived to ``parts``: whether that was the last of it. Raises as ``next_chunk`` does."""
        exchange = self._exchange
        if exchange.chunks:
            if not parts and self.status >= 300 and self.most_of_error is not None:
                self.at_most(self.most_of_error)
            parts.append(self.arrived())
        if not exchange.complete and exchange.error is not None:
            raise exchange.error
        return exchange.complete

    @property
    def begun(self) -> bool:
        """Whether anything at all has arrived."""
        return self._exchange.started

    @property
    def age(self) -> float:
        """Seconds since the request was written."""
        return self._loop.time() - self._started

    def at_most(self, limit: int) -> None:
        """Of what is still to come, take no more than ``limit`` bytes."""
        self._limit = min(self._limit, self._taken + limit)

    async def _wait(self) -> None:
        waiter = self._loop.create_future()
        deadline, local = self.watched(waiter)
        try:
            await waiter
        finally:
            self.unwatched()
        self.check_in_time(deadline, local)

    def watched(self, waiter: Waiter) -> tuple[float, float]:
        """Have ``waiter`` woken by what arrives, or when it is too late: (the deadline, the deadline of the next bytes
        alone)."""
        limits = self._timeouts
        local = self._loop.time() + self.stall if self._taken else self._started + limits.first_byte
        deadline = min(local, self._started + limits.total)
        self._late = False
        self._exchange.waiter = waiter
        self._pool.watch(self, deadline)
        return deadline, local

    def unwatched(self) -> None:
        """Nobody waits any longer."""
        self._pool.unwatch(self)
        self._exchange.waiter = None

    def check_in_time(self, deadline: float, local: float) -> None:
        """Raises UpstreamTimeout or UpstreamStalled where the wait ended by its deadline."""
        if not self._late:
            return
        limits = self._timeouts
        if deadline < local:
            raise UpstreamTimeout(f"The upstream took longer than {limits.total:g} s.")
        if not self._taken:
            raise UpstreamTimeout(f"The upstream sent nothing for {limits.first_byte:g} s.")
        raise UpstreamStalled(f"The upstream fell silent for {self.stall:g} s in the middle of its answer.")

    def expire(self) -> None:
        """The pool saw the deadline pass."""
        exchange = self._exchange
        # What arrived in the same tick counts as in time.
        self._late = not (exchange.chunks or exchange.complete or exchange.error)
        exchange.wake()


class open:  # noqa: A001, N801  (reads as ``egress.open(...)``; a class because a generator-based manager costs more per call)
    """``async with egress.open("POST", url, headers, body, trusted=…, timeouts=…) as response``.

    ``trusted`` marks an address of the operator's own configuration; everything else passes the guard. No redirect is
    followed, no cookie kept, no environment proxy used. Leaving the block before the body's end, by any exception or
    cancellation, closes the upstream connection at once. Raises the errors of ``gateway.core.egress.errors``.
    """

    def __init__(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        trusted: bool,
        timeouts: Timeouts | None = None,
        max_body: int = 64 * MB,
    ) -> None:
        self._target = parse_url(url)
        self._head = _head(method, self._target, headers, len(body))
        self._body, self._trusted, self._max_body = body, trusted, max_body
        self._bodiless = method == "HEAD"
        self._timeouts = timeouts or Timeouts()
        self._pool: Pool | None = None
        self._lease: Lease | None = None

    async def __aenter__(self) -> Response:
        try:
            return await self._send(fresh=False)
        except UpstreamBroken:
            lease = self._lease
            if lease is None or not lease.reused or not self._was_stale(lease):
                self._drop()
                raise
            self._drop()
        except BaseException:
            self._drop()
            raise
        try:
            return await self._send(fresh=True)
        except BaseException:
            self._drop()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        lease, pool = self._lease, self._pool
        if lease is None or pool is None:
            return
        if kind is None or issubclass(kind, Exception):
            self._lease = None
            pool.release(lease)  # reuses a complete exchange, closes any other
        else:
            self._drop()

    async def _send(self, *, fresh: bool) -> Response:
        pool = self._pool = current_pool()
        lease = self._lease = await pool.acquire(
            self._target, trusted=self._trusted, connect_s=self._timeouts.connect, fresh=fresh
        )
        self._written = pool.loop.time()
        exchange = lease.connection.begin(self._head, self._body, bodiless=self._bodiless)
        response = Response(lease.connection, exchange, self._timeouts, self._max_body, pool)
        await response.head()
        return response

    def _was_stale(self, lease: Lease) -> bool:
        exchange = lease.connection.exchange
        young = asyncio.get_running_loop().time() - self._written < STALE_S
        return young and exchange is not None and not exchange.started

    def _drop(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.connection.abort()


def _head(method: str, target: Target, headers: Mapping[str, str], length: int) -> bytes:
    lines = encoded(headers)
    start = start_of(method, target.path, target.authority)
    if length or method in ("POST", "PUT", "PATCH"):
        return b"%scontent-length: %d\r\n%s\r\n" % (start, length, lines)
    return b"%s%s\r\n" % (start, lines)


@lru_cache(maxsize=512)
def start_of(method: str, path: str, authority: str) -> bytes:
    """A request's head up to its own headers."""
    if not _TOKEN.match(method):
        raise EgressRefused("The method is malformed.")
    return f"{method} {path} HTTP/1.1\r\nhost: {authority}\r\naccept-encoding: identity\r\n".encode("latin-1")


def encoded(headers: Mapping[str, str]) -> bytes:
    """Header lines. Raises EgressRefused for one that is malformed or that the gateway sets itself."""
    lines = []
    agent = True
    for name, value in headers.items():
        lowered = name.lower()
        if lowered in _OURS:
            raise EgressRefused(f"The header {name!r} is set by the gateway itself.")
        if not _TOKEN.match(name) or not _VALUE.match(value):
            raise EgressRefused(f"The header {name!r} is malformed.")
        agent = agent and lowered != "user-agent"
        lines.append(f"{lowered}: {value}\r\n")
    if agent:
        lines.append("user-agent: ikiro-gateway\r\n")
    return "".join(lines).encode("latin-1")
