"""Where the children's lines go: to the terminal with a name in front, and to one log file per child."""

from __future__ import annotations

import os
import select
from pathlib import Path

LOG_BYTES = 10 * 1024 * 1024  # then the file becomes <name>.log.1
_CHUNK = 4096  # PIPE_BUF: a write of this size to a writable pipe does not block


class Terminal:
    """Standard output that never stops the supervisor: a closed or paused terminal loses lines, the log keeps them."""

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = descriptor
        self._open = True

    def say(self, text: str) -> None:
        """Write a line, or several."""
        self._write(text.encode("utf-8", "replace") + b"\n", patience=5.0)

    def relay(self, name: str, line: bytes) -> None:
        """Write one line of a child."""
        self._write(f"{name:<9} | ".encode() + line + b"\n", patience=0.0)

    def _write(self, data: bytes, *, patience: float) -> None:
        while self._open and data:
            try:
                if not select.select([], [self._descriptor], [], patience)[1]:
                    return
                data = data[os.write(self._descriptor, data[:_CHUNK]) :]
            except OSError:  # the reader is gone (hang-up, `| head`)
                self._open = False


class LogFile:
    """An append-only file that starts anew at LOG_BYTES and keeps one predecessor."""

    def __init__(self, path: Path) -> None:
        self.path = path
        rotate(path)
        self._file = path.open("ab", buffering=0)
        self._size = self._file.tell()

    def write(self, line: bytes) -> None:
        """Append one line. A full disk must not end the supervisor: the line is lost then."""
        if self._size > LOG_BYTES:
            self._file.close()
            rotate(self.path)
            self._file = self.path.open("ab", buffering=0)
            self._size = 0
        try:
            self._size += self._file.write(line + b"\n")
        except OSError:
            return

    def tail(self, lines: int = 12) -> str:
        """The last lines, for an error message."""
        return b"\n".join(self.path.read_bytes()[-20_000:].splitlines()[-lines:]).decode("utf-8", "replace")


def rotate(path: Path) -> None:
    """Move a log that has grown past LOG_BYTES aside."""
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_name(path.name + ".1"))
