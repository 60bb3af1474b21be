"""The connections of one event loop: opened to a checked address, reused while they are warm, never shared between
loops.

A connection opened for a trusted call (it may lead inside) is never handed to a guarded one: trust is part of the key.
"""

from __future__ import annotations

import asyncio
import ssl
import weakref
from functools import lru_cache
from typing import Protocol

import msgspec
from django.conf import settings

from gateway.core.egress.addresses import Address, Allowance, parse_allowance
from gateway.core.egress.connection import Connection
from gateway.core.egress.errors import ConnectFailed
from gateway.core.egress.resolve import Resolver
from gateway.core.egress.target import Target

_IDLE_S = 30.0
# How much later than its deadline a wait may end.
_LOOK_EVERY_S = 0.05
_MAX_IDLE_PER_KEY = 256

Key = tuple[str, str, int, bool]


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """The system's trust store, certificates and names verified, HTTP/1.1 only. Made once: it costs some 20 ms."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class Waiting(Protocol):
    """Somebody who waits for bytes until a deadline."""

    def expire(self) -> None: ...


class Lease(msgspec.Struct, frozen=True):
    """A connection in use, and where it goes back to."""

    key: Key
    connection: Connection
    reused: bool


def key_of(target: Target, *, trusted: bool) -> Key:
    """Which connections may carry a call."""
    return (target.scheme, target.host, target.port, trusted)


class Pool:
    """Opens, keeps and closes connections. It is their one owner."""

    def __init__(self, allowance: Allowance) -> None:
        self.loop = asyncio.get_running_loop()
        self._idle: dict[Key, list[Connection]] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._deadlines: dict[Waiting, float] = {}
        self._look: asyncio.TimerHandle | None = None
        self.resolver = Resolver(allowance)

    async def acquire(self, target: Target, *, trusted: bool, connect_s: float, fresh: bool = False) -> Lease:
        """A warm connection, or a new one. Raises EgressRefused or ConnectFailed."""
        key = key_of(target, trusted=trusted)
        if not fresh and (warm := self.warm(key)) is not None:
            return warm
        try:
            async with asyncio.timeout(connect_s):
                return Lease(key, await self._connect(target, trusted=trusted, connect_s=connect_s), reused=False)
        except TimeoutError:
            raise ConnectFailed(f"Connecting to {target.authority!r} took longer than {connect_s:g} s.") from None

    def has_warm(self, key: Key) -> bool:
        """Whether ``warm`` would most probably find one."""
        return bool(self._idle.get(key))

    def warm(self, key: Key) -> Lease | None:
        """A connection that is open and idle, the warmest first."""
        idle = self._idle.get(key)
        while idle:
            connection = idle.pop()
            if connection.usable:
                return Lease(key, connection, reused=True)
            connection.abort()
        if idle is not None:
            del self._idle[key]
        return None

    async def _connect(self, target: Target, *, trusted: bool, connect_s: float) -> Connection:
        addresses = await self.resolver.addresses(target.host, trusted=trusted)
        problem = "no address"
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            try:
                # An address that swallows packets may take its share of the time, not all of it.
                async with asyncio.timeout(connect_s / left):
                    return await _open(target, address)
            except TimeoutError:
                problem = "timed out"
            except ssl.SSLCertVerificationError as error:
                raise ConnectFailed(
                    f"{target.authority!r} is not who it claims to be: {error.verify_message}."
                ) from None
            except (OSError, ssl.SSLError) as error:
                problem = getattr(error, "strerror", None) or type(error).__name__
        raise ConnectFailed(f"No connection to {target.authority!r}: {problem}.")

    def watch(self, waiting: Waiting, deadline: float) -> None:
        """Have ``waiting`` expired soon after ``deadline`` (the loop's time). One timer looks after all: nearly nobody
        is ever late, and a timer for each wait would cost every call."""
        self._deadlines[waiting] = deadline
        if self._look is None:
            self._look = self.loop.call_later(_LOOK_EVERY_S, self._look_after)

    def unwatch(self, waiting: Waiting) -> None:
        """It waits no longer."""
        self._deadlines.pop(waiting, None)

    def _look_after(self) -> None:
        self._look = None
        now = self.loop.time()
        for waiting in [one for one, deadline in self._deadlines.items() if deadline <= now]:
            waiting.expire()
        if self._deadlines:
            self._look = self.loop.call_later(_LOOK_EVERY_S, self._look_after)

    def release(self, lease: Lease) -> None:
        """Take a connection back: keep it when it may be reused, close it otherwise."""
        connection = lease.connection
        if not connection.release() or len(self._idle.get(lease.key, ())) >= _MAX_IDLE_PER_KEY:
            connection.abort()
            return
        connection.resume()
        connection.idle_since = self.loop.time()
        self._idle.setdefault(lease.key, []).append(connection)
        if self._sweep is None:
            self._sweep = self.loop.call_later(_IDLE_S, self._expire)

    def _expire(self) -> None:
        """Close what has been idle for long enough. One timer for all: one for each would cost every call."""
        long_ago, oldest = self.loop.time() - _IDLE_S, None
        for key, idle in list(self._idle.items()):
            kept = [connection for connection in idle if connection.idle_since > long_ago]
            for connection in idle:
                if connection.idle_since <= long_ago:
                    connection.abort()
            if kept:
                self._idle[key] = kept
                oldest = min(kept[0].idle_since, oldest or kept[0].idle_since)
            else:
                del self._idle[key]
        self._sweep = None if oldest is None else self.loop.call_at(oldest + _IDLE_S, self._expire)

    def close(self) -> None:
        """Close what is idle. Connections in use close when their callers let go."""
        for timer in (self._sweep, self._look):
            if timer is not None:
                timer.cancel()
        self._sweep = self._look = None
        while self._idle:
            for connection in self._idle.popitem()[1]:
                connection.abort()


async def _open(target: Target, address: Address) -> Connection:
    secure = target.scheme == "https"
    _, connection = await asyncio.get_running_loop().create_connection(
        Connection,
        str(address),
        target.port,
        ssl=tls_context() if secure else None,
        server_hostname=target.host if secure else None,
    )
    return connection


# A process serves with one loop; a look-up in a weak dictionary for each call would be the dearer part of it.
_latest: tuple[asyncio.AbstractEventLoop, Pool] | None = None
_pools: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Pool] = weakref.WeakKeyDictionary()


def current_pool() -> Pool:
    """The running loop's pool. ``IKIRO_EGRESS_ALLOW`` is read when the pool is made."""
    global _latest
    loop = asyncio.get_running_loop()
    latest = _latest  # read once: another thread's loop may put its own there at any moment
    if latest is None or latest[0] is not loop:
        pool = _pools.get(loop)
        if pool is None:
            pool = _pools[loop] = Pool(parse_allowance(settings.IKIRO_EGRESS_ALLOW))
        latest = _latest = loop, pool
    return latest[1]


async def close_pool() -> None:
    """Forget the running loop's pool and close its idle connections; the lifespan calls it at the end."""
    global _latest
    _latest = None
    pool = _pools.pop(asyncio.get_running_loop(), None)
    if pool is not None:
        pool.close()
        await asyncio.sleep(0)  # let the transports run their closing callbacks
