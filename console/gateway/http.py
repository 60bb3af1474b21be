"""The process's one HTTP client: connections to the gateway are kept and shared by all pages.

It follows no redirect and takes no proxy from the environment: a session token goes to the gateway and nowhere else.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
from django.conf import settings

from console.gateway.errors import GatewayDown

_TIMEOUT = httpx.Timeout(30.0, connect=3.0, pool=10.0)
_LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=55.0)
_client: httpx.AsyncClient | None = None
_loop: asyncio.AbstractEventLoop | None = None
# Tests put an ASGI application here; None is the network.
transport: httpx.AsyncBaseTransport | None = None


def shared() -> httpx.AsyncClient:
    """The client of this process's event loop; a new one after the loop changed (tests start several)."""
    global _client, _loop
    loop = asyncio.get_running_loop()
    if _client is None or _loop is not loop or _client.is_closed:
        _loop = loop
        _client = httpx.AsyncClient(
            base_url=settings.IKIRO_GATEWAY_URL,
            timeout=_TIMEOUT,
            limits=_LIMITS,
            trust_env=False,
            follow_redirects=False,
            transport=transport,
        )
    return _client


async def close() -> None:
    """Close the connections. The process ends, or a test wants the next client new."""
    global _client
    client, _client = _client, None
    if client is not None and _loop is asyncio.get_running_loop():
        await client.aclose()


async def exchange(method: str, path: str, **options: Any) -> tuple[httpx.Response, float]:
    """One call and how many milliseconds it took. Raises GatewayDown when no answer came."""
    client = shared()
    started = time.perf_counter()
    try:
        response = await client.request(method, path, **options)
    except httpx.HTTPError as error:
        raise GatewayDown(str(client.base_url), _reason(error)) from error
    return response, (time.perf_counter() - started) * 1000


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return "nothing answers at this address"
    if isinstance(error, httpx.TimeoutException):
        return "no answer within 30 seconds"
    return f"the connection broke ({type(error).__name__})"
