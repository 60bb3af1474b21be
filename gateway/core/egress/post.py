"""Calls that differ in nothing but their bodies."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.core.egress.client import MB, STALE_S, Response, Timeouts, encoded, open, start_of  # noqa: A004
from gateway.core.egress.errors import UpstreamBroken
from gateway.core.egress.pool import current_pool, key_of
from gateway.core.egress.target import parse_url


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

    async def _opened(self, body: bytes, most_of_error: int) -> tuple[Response, bytes]:
        """Likewise, over a connection that has to be opened."""
        async with open(
            "POST", self._url, self._headers, body, trusted=self._trusted, timeouts=self._timeouts,
            max_body=self._max_body,
        ) as response:  # fmt: skip
            return response, await response.read(None if response.status < 300 else most_of_error)
