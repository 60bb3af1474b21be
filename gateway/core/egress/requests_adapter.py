"""``requests`` over the one way out, for libraries that know no other client (django-allauth's OpenID Connect).

A session from ``guarded_session`` sends everything through ``egress.open``: addresses are resolved, checked and pinned,
no redirect is followed, no proxy, cookie or ``.netrc`` of the environment is used, time and size are bounded. It is
synchronous, for threads without a running event loop; each call has a loop of its own for as long as it takes.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Coroutine, Mapping
from typing import Any

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from gateway.core.egress.client import MB, Timeouts, open  # noqa: A004  (the package's own name for it)
from gateway.core.egress.errors import EgressRefused
from gateway.core.egress.pool import close_pool
from gateway.core.errors import GatewayError

_TIMEOUTS = Timeouts(connect=5, first_byte=8, stall=5, total=15)
_MAX_BODY = 1 * MB
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "user-agent"})
RequestFailed = requests.RequestException


class EgressFailed(requests.RequestException):
    """A call that the guard refused or that went wrong on its way. ``error`` is the egress error itself."""

    def __init__(self, error: GatewayError, request: requests.PreparedRequest) -> None:
        super().__init__(error.detail, request=request)
        self.error = error


class GuardedAdapter(BaseAdapter):
    """The transport of a ``requests`` session."""

    def __init__(self, *, timeouts: Timeouts = _TIMEOUTS, max_body: int = _MAX_BODY) -> None:
        super().__init__()
        self._timeouts, self._max_body = timeouts, max_body

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send one request. Raises EgressFailed. What ``requests`` would pass of timeouts, proxies and certificates is
        not asked: the guard has its own."""
        try:
            status, headers, body = _run(self._call(request))
            if 300 <= status < 400:
                raise EgressRefused("The server answers with a redirect, and redirects are not followed.")
        except GatewayError as error:
            raise EgressFailed(error, request) from error
        response = requests.Response()
        response.status_code = status
        response.headers = CaseInsensitiveDict(headers)
        response.encoding = get_encoding_from_headers(response.headers)
        response.url = request.url or ""
        response.request = request
        response.raw = io.BytesIO(body)
        response._content = body  # the whole body is here; reading it again from ``raw`` would serve nobody
        return response

    def close(self) -> None:
        """Nothing stays open between calls."""

    async def _call(self, request: requests.PreparedRequest) -> tuple[int, Mapping[str, str], bytes]:
        try:
            call = open(
                request.method or "GET",
                request.url or "",
                _headers(request.headers),
                _body(request.body),
                trusted=False,
                timeouts=self._timeouts,
                max_body=self._max_body,
            )
            async with call as response:
                return response.status, response.headers, await response.read()
        finally:
            await close_pool()


def guarded_session() -> requests.Session:
    """A session whose every call passes the guard, whatever the scheme says."""
    session = requests.Session()
    session.trust_env = False
    session.adapters.clear()
    session.mount("", GuardedAdapter())
    return session


def _run(work: Coroutine[Any, Any, tuple[int, Mapping[str, str], bytes]]) -> tuple[int, Mapping[str, str], bytes]:
    # Not ``asyncio.run``: it would wait for a name server that does not answer, long after our own time is over.
    loop = asyncio.SelectorEventLoop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


def _headers(given: Mapping[str, str | bytes]) -> dict[str, str]:
    plain = {name: value.decode("latin-1") if isinstance(value, bytes) else value for name, value in given.items()}
    return {name: value for name, value in plain.items() if name.lower() not in _OURS}


def _body(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes):
        return body
    raise TypeError("Only a body in memory is sent.")
