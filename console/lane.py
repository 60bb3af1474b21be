"""ASGI pieces of the console: a bound on bodies, for every process it runs in, and the lifespan of its own one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.core.handlers.asgi import ASGIHandler

from console.gateway import http

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
# The largest honest form is a persona's JSON.
MAX_BODY = 1024 * 1024


class _TooLarge(Exception):
    """The body went over the bound; nothing has been answered yet."""


class Bounded:
    """An application that is never handed more than ``limit`` bytes: 413 instead. Django would write the rest to a
    temporary file first and ask afterwards."""

    def __init__(self, app: Callable[[Any, Any, Any], Awaitable[None]], limit: int = MAX_BODY) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        size = 0

        async def counted() -> Mapping[str, Any]:
            nonlocal size
            message: Mapping[str, Any] = await receive()
            size += len(message.get("body", b""))
            if size > self._limit:
                raise _TooLarge
            return message

        try:
            await self._app(scope, counted, send)
        except _TooLarge:
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 413, "headers": headers})
            await send({"type": "http.response.body", "body": b"The form is larger than 1 MB.\n"})


class ConsoleLane:
    """The whole application of a console process."""

    def __init__(self) -> None:
        self._pages = Bounded(ASGIHandler())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._pages(scope, receive, send)
        else:
            raise ValueError(f"{scope['type']} connections are not served.")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await http.close()
                await send({"type": "lifespan.shutdown.complete"})
                return
