"""HTTP as the web processes speak it: uvicorn's, with an answer's head and body in one packet.

uvicorn writes the head when it is told of it and the body when that comes, each with a system call of its own, each
waking the client. Nearly always both come in one turn of the event loop.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# What waits is written at once above this, so that the transport's own limit is felt in the middle of a turn too.
_AT_MOST = 32 * 1024


class Joined:
    """A transport whose writes of one turn of the loop go out together; in all else the transport it stands for."""

    __slots__ = ("_loop", "_size", "_transport", "_waiting")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._waiting: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Send soon: at the end of this turn, or when enough waits."""
        if not data:
            return
        if not self._waiting:
            self._loop.call_soon(self.flush)
        self._waiting.append(data)
        self._size += len(data)
        if self._size > _AT_MOST:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        waiting = self._waiting
        if waiting:
            self._waiting, self._size = [], 0
            self._transport.write(waiting[0] if len(waiting) == 1 else b"".join(waiting))

    def close(self) -> None:
        """Send what waits, and hang up."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Hang up at once; what waits is not sent."""
        self._waiting, self._size = [], 0
        self._transport.abort()

    def get_write_buffer_size(self) -> int:
        """Bytes that are not sent yet."""
        return self._size + self._transport.get_write_buffer_size()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Send what waits, and let another protocol take over (WebSockets)."""
        self.flush()
        self._transport.set_protocol(protocol)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Protocol(HttpToolsProtocol):
    """For ``uvicorn.run(http=…)``."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See ``asyncio.Protocol``."""
        super().connection_made(Joined(transport, self.loop))  # type: ignore[arg-type]
