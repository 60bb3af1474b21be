"""The multiplexed connection of the hot path: one per event loop, shared by every request on it.

It connects when first used and again, at the latest a second later, after every loss; there is no background task to
supervise. While the server is away a command fails at once with StoreUnavailable instead of waiting its turn. The
connection is the breaker as well: after a few late answers it is given up, and the next one, made after a pause that
grows, is the probe: one late answer ends it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import structlog

from gateway.core.errors import GatewayError, Unavailable
from gateway.core.valkey.address import parse
from gateway.core.valkey.errors import CommandFailed, StoreUnavailable
from gateway.core.valkey.packing import Argument, Words, pack
from gateway.core.valkey.pipe import Asker, Pipe
from gateway.core.valkey.script import Script

log = structlog.get_logger(__name__)

_FIRST_PAUSE_S = 0.05
_LAST_TURNS = 4
_LONGEST_PAUSE_S = 1.0


class Valkey:
    """One server as one event loop sees it. ``commands_sent`` counts every command written for a caller."""

    def __init__(self, url: str, *, timeout_s: float | None = None, max_pending: int = 10_000) -> None:
        self.address = parse(url)
        self._timeout = timeout_s or int(os.environ.get("IKIRO_VALKEY_TIMEOUT_MS", "1000")) / 1000
        self._max_pending = max_pending
        self._lock = asyncio.Lock()
        self._pipe: Pipe | None = None
        self._closed = False
        self._failures = 0
        self._not_before = 0.0
        self._sent_before = 0

    @property
    def commands_sent(self) -> int:
        return self._sent_before + (self._pipe.commands_sent if self._pipe else 0)

    @property
    def connected(self) -> bool:
        return self._pipe is not None and self._pipe.alive

    async def execute(self, *args: Argument) -> Any:
        """Run one command. Raises StoreUnavailable, or CommandFailed when the server refuses it."""
        await self.ready()
        return await self.submit(*args)

    async def script(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run a script by its hash; where the server does not know it, the source follows by itself."""
        await self.ready()
        return await self.submit_script(script, keys, args)

    def submit(self, *args: Argument) -> asyncio.Future[Any]:
        """Queue one command on the live connection and return its future. Raises StoreUnavailable without one."""
        return self._live().send(pack(args))

    def submit_script(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> asyncio.Future[Any]:
        """``submit`` for a script."""
        words = (len(keys), *keys, *args)
        return self._live().send(pack(("EVALSHA", script.sha, *words)), ("EVAL", script.source, *words))

    def submit_packed(self, packed: bytes) -> asyncio.Future[Any]:
        """``submit`` for a command that is packed already. Its future raises CommandFailed for a script that the server
        does not know."""
        return self._live().send(packed)

    def tell_packed(self, packed: bytes, asker: Asker, written: Callable[[], None] | None = None) -> None:
        """Likewise, for who does not wait in a task: ``asker`` is told; ``written`` is called once the command is on
        its way, or is known not to be."""
        self._live().tell(packed, asker, written)

    def _live(self) -> Pipe:
        pipe = self._pipe
        if pipe is None or not pipe.alive:
            raise StoreUnavailable("The store is away.")
        return pipe

    async def ready(self) -> None:
        """Return once connected. Raises StoreUnavailable at once when the last attempt just failed."""
        if self._pipe is not None and self._pipe.alive:
            return
        loop = asyncio.get_running_loop()
        if self._failures and self._lock.locked():
            raise StoreUnavailable("The store is away.")  # somebody is finding out whether it is back
        async with self._lock:
            if self._pipe is not None and self._pipe.alive:
                return
            self._judge(loop.time())
            if self._closed:
                raise StoreUnavailable("The connection to the store is closed.")
            if loop.time() < self._not_before:
                raise StoreUnavailable("The store is away.")
            try:
                async with asyncio.timeout(self._timeout):
                    pipe = await self._open()
            except (OSError, TimeoutError, GatewayError) as error:
                self._failed(loop.time(), error)
                raise StoreUnavailable("The store is away.") from error
            self._sent_before = self.commands_sent
            pipe.commands_sent = 0
            self._pipe = pipe
            if self._failures:
                log.info("store.back", address=str(self.address), attempts=self._failures)
            # A server that accepts and hangs up is not asked more often than this.
            self._not_before = loop.time() + _FIRST_PAUSE_S

    def _judge(self, now: float) -> None:
        """What the connection before was like decides when the next one is made."""
        pipe = self._pipe
        if pipe is None:
            return
        self._sent_before, self._pipe = self.commands_sent, None
        if pipe.in_time:
            self._failures = 0
        if pipe.slow:
            self._failed(now, TimeoutError("too slow"))

    def _failed(self, now: float, error: Exception) -> None:
        pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(self._failures, 10))
        # Workers that lost the server together do not come back together.
        self._not_before = now + pause * random.uniform(0.5, 1.0)  # noqa: S311
        if not self._failures:
            log.warning("store.away", address=str(self.address), error=str(error) or type(error).__name__)
        self._failures += 1

    async def _open(self) -> Pipe:
        """Connect, sign in, choose the database and make sure that the server has its data loaded."""
        loop = asyncio.get_running_loop()
        address = self.address

        def pipe() -> Pipe:
            return Pipe(timeout_s=self._timeout, max_pending=self._max_pending, probation=self._failures > 0)

        if address.path is not None:
            _, made = await loop.create_unix_connection(pipe, address.path)
        else:
            _, made = await loop.create_connection(pipe, address.host, address.port)
        greeting: list[Words] = []
        if address.password is not None:
            user = (address.username,) if address.username else ()
            greeting.append(("AUTH", *user, address.password))
        if address.db:
            greeting.append(("SELECT", address.db))
        greeting.append(("PING",))
        try:
            replies = await asyncio.gather(*(made.send(pack(words)) for words in greeting), return_exceptions=True)
            for reply in replies:
                if isinstance(reply, BaseException):
                    raise reply
        except BaseException:
            made.drop()
            raise
        made.in_time = False  # a greeting is easily answered
        return made

    async def keep_connected(self) -> None:
        """A background loop that reconnects without waiting for a request to ask. Ends when closed."""
        while not self._closed:
            try:
                await self.ready()
            except Unavailable as error:
                log.debug("store.still_away", address=str(self.address), error=error.detail)
            await asyncio.sleep(_LONGEST_PAUSE_S / 4)

    async def close(self) -> None:
        """Hang up for good, after what is under way was answered, if that comes in time; whatever waits then fails."""
        self._closed = True
        if self._pipe is not None:
            if self._pipe.alive:
                with contextlib.suppress(StoreUnavailable, CommandFailed):
                    await self._pipe.send(pack(("PING",)))  # replies come in order
            self._pipe.drop()
            # So that the transport is gone, and who is told of a loss has written it down, when the loop is closed.
            for _ in range(_LAST_TURNS):
                await asyncio.sleep(0)


_connections: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, float | None], Valkey]] = WeakKeyDictionary()


def connection(url: str, *, timeout_s: float | None = None) -> Valkey:
    """The running loop's connection to ``url`` that waits so long, made on first use."""
    of_loop = _connections.setdefault(asyncio.get_running_loop(), {})
    found = of_loop.get((url, timeout_s))
    if found is None:
        found = of_loop[url, timeout_s] = Valkey(url, timeout_s=timeout_s)
    return found
