"""The built-in embedder as tests have it: a real process on a socket, and a way to speak with it directly."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

from gateway.core.embedder.frames import Frame, Reader, check_hello
from tests.harness import Process, eventually


class Embedder(Process):
    """``python -m ikiro.embedder`` with a test's environment; its log is kept like every process's."""

    def __init__(self, env: Mapping[str, str]) -> None:
        super().__init__(["-m", "ikiro.embedder"], {**os.environ, **env})
        self.socket = Path(env["IKIRO_EMBEDDER_SOCKET"])

    def start(self) -> Embedder:
        super().start()
        return self

    def ready(self) -> Embedder:
        """Wait until it answers; building the graph takes a second or two, once."""

        def answers() -> bool:
            assert self.popen is not None
            assert self.popen.poll() is None, self.output
            try:
                with Peer(self.socket):
                    return True
            except OSError:
                return False

        eventually(answers, within=60)
        return self

    def resident_mb(self) -> float:
        """What it holds in memory now, in MiB."""
        assert self.popen is not None
        pages = int(Path(f"/proc/{self.popen.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Peer:
    """A connection that may be as rude as a test wants. Entering it waits for the greeting."""

    def __init__(self, path: Path, timeout: float = 30.0) -> None:
        self.connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.connection.settimeout(timeout)
        self._path, self._reader = path, Reader()
        self._received: list[tuple[Frame, int, bytes]] = []

    def __enter__(self) -> Peer:
        try:
            self.connection.connect(str(self._path))
            kind, _, body = self.receive()
            check_hello(kind, body)
        except BaseException:
            self.connection.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.connection.close()

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def receive(self) -> tuple[Frame, int, bytes]:
        """The next frame. Raises ConnectionError when the other end closed."""
        while not self._received:
            data = self.connection.recv(65536)
            if not data:
                raise ConnectionResetError("closed")
            self._received += self._reader.feed(data)
        return self._received.pop(0)

    def closed(self) -> bool:
        """Whether the other end hangs up, whatever it still says."""
        try:
            while self.connection.recv(65536):
                continue
        except ConnectionError:
            return True
        return True


def header(length: int, number: int, kind: int) -> bytes:
    """The beginning of a frame that may be none."""
    return struct.pack("!IIB", length, number, kind)
