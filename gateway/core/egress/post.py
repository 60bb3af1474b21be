"""Calls that differ in nothing but their bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol as Typed

from gateway.core.egress.client import MB, STALE_S, Response, Timeouts, encoded, open, start_of  # noqa: A004
from gateway.core.egress.errors import NotSeen, UpstreamBroken
from gateway.core.egress.pool import Lease, Pool, current_pool, key_of
from gateway.core.egress.target import parse_url


class Sender(Typed):
    """Who sends without waiting in a task. Is told one of these, once; neither may raise."""

    def answered(self, response: Response, body: bytes) -> None:
        """The response and its whole body."""
        ...

    def failed(self, error: Exception) -> None:
        """What went wrong: NotSeen where the request may be sent again."""
        ...


class Sent:
    """A request on its way, and what comes back of it."""

    __slots__ = ("_deadline", "_lease", "_local", "_most", "_parts", "_pool", "_response", "_sender")

    def __init__(self, response: Response, lease: Lease, pool: Pool, sender: Sender) -> None:
        self._response, self._lease, self._pool, self._sender = response, lease, pool, sender
        self._parts: list[bytes] = []
        self._deadline, self._local = response.watched(self)

    def drop(self) -> None:
        """Nobody waits for it any more: the upstream sees at once that nobody does."""
        self._response.unwatched()
        self._lease.connection.abort()

    def done(self) -> bool:
        """See ``Waiter``."""
        return False

    def set_result(self, result: None, /) -> None:
        """See ``Waiter``: something arrived, went wrong, or is too late."""
        response = self._response
        response.unwatched()
        try:
            response.check_in_time(self._deadline, self._local)
            if not response.head_came() or not response.advance(self._parts):
                self._deadline, self._local = response.watched(self)
                return
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits to be told
            self._lease.connection.abort()
            if isinstance(error, UpstreamBroken) and not response.begun and response.age < STALE_S:
                self._sender.failed(NotSeen(error.detail))
            else:
                self._sender.failed(error)
            return
        self._pool.release(self._lease)
        parts = self._parts
        self._sender.answered(response, parts[0] if len(parts) == 1 else b"".join(parts))


class Post:
    """``POST`` to one address with the same headers: checked and encoded once. As ``egress.open`` in all else. Raises
    EgressRefused for an address or a header that it would refuse."""

    def __init__(
        self, url: str, headers: Mapping[str, str], *, trusted: bool, timeouts: Timeouts, max_body: int = 64 * MB
    ) -> None:
        self._url, self._headers = url, dict(headers)
        self._trusted, self._timeouts, self._max_body = trusted, timeouts, max_body
        target = parse_url(url)
        self._key = key_of(target, trusted=trusted)
        self._start = start_of("POST", target.path, target.authority) + b"content-length: "
        self._end = b"\r\n" + encoded(headers) + b"\r\n"

    async def whole(self, body: bytes, *, most_of_error: int) -> tuple[Response, bytes]:
        """The answer and its whole body; UpstreamBroken where what is no 2xx has more than ``most_of_error`` bytes.
        Raises as ``egress.open`` does."""
        pool = current_pool()
        lease = pool.warm(self._key)
        if lease is None:
            return await self._opened(body, most_of_error)
        connection, loop = lease.connection, pool.loop
        began = loop.time()
        exchange = connection.begin(b"%b%d%b" % (self._start, len(body), self._end), body, bodiless=False)
        response = Response(connection, exchange, self._timeouts, self._max_body, pool)
        try:
            await response.head()
            data = await response.read(None if response.status < 300 else most_of_error)
        except UpstreamBroken:
            connection.abort()
            if exchange.started or loop.time() - began >= STALE_S:
                raise
            return await self._opened(body, most_of_error)  # its server had closed it before it saw this
        except BaseException:
            connection.abort()
            raise
        pool.release(lease)
        return response, data

    def warm(self, pool: Pool) -> bool:
        """Whether there is an idle connection to send over."""
        return pool.has_warm(self._key)

    def send(self, pool: Pool, body: bytes, sender: Sender, *, most_of_error: int) -> Sent | None:
        """``whole`` for who does not wait in a task, over a warm connection; None without one."""
        lease = pool.warm(self._key)
        if lease is None:
            return None
        exchange = lease.connection.begin(b"%b%d%b" % (self._start, len(body), self._end), body, bodiless=False)
        response = Response(lease.connection, exchange, self._timeouts, self._max_body, pool)
        response.most_of_error = most_of_error
        return Sent(response, lease, pool, sender)

    async def _opened(self, body: bytes, most_of_error: int) -> tuple[Response, bytes]:
        """Likewise, over a connection that has to be opened."""
        async with open(
            "POST", self._url, self._headers, body, trusted=self._trusted, timeouts=self._timeouts,
            max_body=self._max_body,
        ) as response:  # fmt: skip
            return response, await response.read(None if response.status < 300 else most_of_error)
