"""A bare TCP server and a short ``fetch``, for the tests of the one way out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

from gateway.core import egress
from tests.without_django import ensure_settings

ensure_settings()
QUICK = egress.Timeouts(connect=1, first_byte=0.3, stall=0.3, total=2)
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter, bytes], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler, host: str = "127.0.0.1"):
    """A bare TCP server that calls ``handler`` per request head. Yields (root url, seen) where seen counts
    connections.
    """
    seen = {"connections": 0, "requests": 0}
    tasks: set[asyncio.Task] = set()

    async def serve(reader, writer):
        seen["connections"] += 1
        tasks.add(asyncio.current_task())
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                seen["requests"] += 1
                await handler(reader, writer, head)
                await writer.drain()
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, 0, backlog=512)
    try:
        yield f"http://{host}:{server.sockets[0].getsockname()[1]}", seen
    finally:
        server.close()
        await egress.close_pool()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answering(raw: bytes, *, close: bool = False) -> Handler:
    async def handler(reader, writer, head):
        writer.write(raw)
        if close:
            await writer.drain()
            writer.close()

    return handler


async def fetch(url: str, *, timeouts: egress.Timeouts = QUICK, trusted: bool = True, **more) -> tuple[int, bytes]:
    async with egress.open("GET", url, {}, trusted=trusted, timeouts=timeouts, **more) as response:
        return response.status, await response.read()


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
