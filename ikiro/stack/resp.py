"""Just enough of the Redis protocol to ask one server over its unix socket one thing at a time."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import BinaryIO

Reply = str | int | None | list["Reply"]


class RespError(Exception):
    """The server answered with an error line."""


def ask(path: Path, *words: str, timeout: float = 5.0) -> Reply:
    """Send one command and return its reply. Raises RespError, or OSError when nobody answers in ``timeout`` s."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(timeout)
        client.connect(str(path))
        parts = [word.encode() for word in words]
        client.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
        with client.makefile("rb") as stream:
            return _read(stream)


def _read(stream: BinaryIO) -> Reply:
    head = stream.readline()
    if not head.endswith(b"\r\n"):
        raise ConnectionError("the connection ended inside a reply")
    kind, rest = head[:1], head[1:-2]
    if kind == b"-":
        raise RespError(rest.decode())
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if int(rest) < 0 else stream.read(int(rest) + 2)[:-2].decode("utf-8", "replace")
    if kind == b"*":
        return [_read(stream) for _ in range(int(rest))]
    return rest.decode()
