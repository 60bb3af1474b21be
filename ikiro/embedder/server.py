"""The embedder's socket: any number of questions on each connection, and no peer that can hold up another.

Whoever sends a frame that is none, begins one and does not end it, asks for more than it reads or opens too many
connections is cut off; the others notice nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
from pathlib import Path

from gateway.core.embedder.frames import Frame, FrameError, Reader, hello, pack, read_texts
from ikiro.embedder.lanes import Job, Lanes

log = logging.getLogger("ikiro.embedder")
_MAX_CONNECTIONS = 128
_MAX_OPEN = 64
_MAX_UNREAD = 1024 * 1024
_FRAME_S = 3.0
_LONGEST_PATH = 107


class SocketTaken(RuntimeError):
    """Another embedder answers on this socket, or the path cannot be one."""


class Connection(asyncio.Protocol):
    """One peer."""

    _transport: asyncio.Transport

    def __init__(self, lanes: Lanes, peers: set[Connection]) -> None:
        self._lanes, self._peers = lanes, peers
        self._loop = asyncio.get_running_loop()
        self._reader = Reader()
        self._open = 0
        self._impatience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream is what was asked for
        self._transport = transport
        if len(self._peers) >= _MAX_CONNECTIONS:
            log.warning("more than %d connections", _MAX_CONNECTIONS)
            transport.abort()
            return
        self._peers.add(self)
        transport.write(hello())

    def connection_lost(self, exc: Exception | None) -> None:
        self._peers.discard(self)
        self._wait_no_more()

    def data_received(self, data: bytes) -> None:
        try:
            for kind, number, body in self._reader.feed(data):
                self._asked(kind, number, body)
        except FrameError as error:
            log.warning("a peer is cut off: %s", error)
            self._transport.write(pack(Frame.REFUSED, 0, str(error).encode()))
            self._transport.close()
            return
        self._wait_no_more()
        if self._reader.inside:
            self._impatience = self._loop.call_later(_FRAME_S, self.cut)

    def cut(self) -> None:
        """End the connection at once, whatever it still has to say."""
        self._transport.abort()

    def _wait_no_more(self) -> None:
        if self._impatience is not None:
            self._impatience.cancel()
            self._impatience = None

    def _asked(self, kind: Frame, number: int, body: bytes) -> None:
        if kind not in (Frame.QUERY, Frame.BATCH):
            raise FrameError(f"{kind.name} is no question.")
        try:
            texts = read_texts(body)
        except FrameError as error:
            self._answer(number, Frame.REFUSED, str(error).encode())
            return

        def reply(answer: Frame, made: bytes) -> None:  # from a lane's thread, perhaps after the loop's end
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._done, number, answer, made)

        if self._open < _MAX_OPEN and self._lanes.put(kind, Job(texts, reply)):
            self._open += 1
        else:
            self._answer(number, Frame.BUSY, b"")

    def _done(self, number: int, kind: Frame, body: bytes) -> None:
        self._open -= 1
        self._answer(number, kind, body)

    def _answer(self, number: int, kind: Frame, body: bytes) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(pack(kind, number, body))
        if self._transport.get_write_buffer_size() > _MAX_UNREAD:
            log.warning("a peer does not read its answers and is cut off")
            self.cut()


async def serve(path: Path, lanes: Lanes, until: asyncio.Event) -> None:
    """Answer on ``path`` until told to stop. Raises SocketTaken."""
    _require_free(path)
    peers: set[Connection] = set()
    draft = path.with_name(f"{path.name[:8]}.{os.getpid()}")
    server = await asyncio.get_running_loop().create_unix_server(lambda: Connection(lanes, peers), draft, backlog=64)
    mine = _show(draft, path)
    lanes.start()
    log.info("ready on %s", path)
    try:
        await until.wait()
    finally:
        server.close()
        for peer in list(peers):
            peer.cut()
        _hide(path, mine)


def _show(draft: Path, path: Path) -> int:
    """Put a socket that listens already where it is looked for; its inode."""
    draft.chmod(0o600)
    draft.replace(path)
    return path.lstat().st_ino


def _hide(path: Path, inode: int) -> None:
    """Remove our own socket, not one that took its place."""
    with contextlib.suppress(OSError):
        if path.lstat().st_ino == inode:
            path.unlink()


def _require_free(path: Path) -> None:
    """Raise SocketTaken unless ``path`` is nothing, or a socket that nobody answers on any more."""
    if len(os.fsencode(path)) > _LONGEST_PATH - 12:
        raise SocketTaken(f"{path} is too long for a socket; set IKIRO_EMBEDDER_SOCKET.")
    try:
        found = path.lstat()
    except OSError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise SocketTaken(f"{path} is there and is no socket.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        with contextlib.suppress(ConnectionRefusedError, FileNotFoundError):
            probe.connect(str(path))
            raise SocketTaken(f"Another embedder answers on {path}.")
