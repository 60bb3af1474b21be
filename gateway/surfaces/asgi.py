"""What every lane that speaks ASGI itself needs: its types, its client's hanging up, and the sending of a stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
# Where the slim lane finds, in the scope, the ``Call`` of a request that the fast lane let in.
BEGUN = "ikiro.begun"


async def hung_up(receive: Receive) -> None:
    """Return once the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        continue


async def send_chunks(chunks: AsyncGenerator[bytes, None], send: Send) -> None:
    """A stream's chunks to its end, which is sent as well. However it ends, ``chunks`` is closed."""
    try:
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    finally:
        await chunks.aclose()
    await send({"type": "http.response.body", "body": b""})
