"""What could not reach the store, kept on disk until it can.

One append-only file per worker, ``<IKIRO_STATE_DIR>/journal/<worker>.jsonl``, made when first needed and locked while
its worker lives; a line is one script call. Lines of one loop tick share one write and one fsync. ``JournalReplayer``
sends them when the store is back; every script in it may run twice.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import structlog
from django.conf import settings

log = structlog.get_logger(__name__)


class Call(msgspec.Struct, frozen=True):
    """One script call: ``script`` is a name of ``scripts.BY_NAME``."""

    script: str
    keys: list[str]
    args: list[str]


class NoteLine(msgspec.Struct, frozen=True):
    """One entry for a usage stream."""

    stream: str
    kind: str
    data: str


Line = Call | NoteLine


@dataclass(frozen=True, slots=True)
class _Waiting:
    data: bytes
    written: asyncio.Future[bool]


def lock(descriptor: int, path: Path) -> bool:
    """Own the file: True unless another process does, or ``path`` is no longer this file."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except (BlockingIOError, FileNotFoundError):
        return False


class Journal:
    """One worker's file. Used from one event loop; nothing here awaits between looking and writing."""

    def __init__(self, directory: Path, worker: str | None = None) -> None:
        self.directory = directory
        self.path = directory / f"{worker or worker_id()}.jsonl"
        self._descriptor: int | None = None
        self._waiting: list[_Waiting] = []
        self._scheduled = False

    @property
    def size(self) -> int:
        """Bytes on disk; 0 while nothing was ever journaled."""
        return os.fstat(self._descriptor).st_size if self._descriptor is not None else 0

    def append(self, line: Call | NoteLine) -> asyncio.Future[bool]:
        """Queue a line. The future says True once it is on disk, False when the disk refused: then it is kept in
        memory and written with the next line or in the replayer's next round."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(_ENCODER.encode(line) + b"\n", loop.create_future())
        self._waiting.append(waiting)
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self.flush)
        return waiting.written

    def post(self, line: Call | NoteLine) -> None:
        """``append`` where nobody is left to wait for it."""
        written = self.append(line)
        del written

    def rescue(self, sent: asyncio.Future[Any], line: Call) -> None:
        """Write a call that was sent down should it not arrive, where nobody is left to wait for it."""

        def look(done: asyncio.Future[Any]) -> None:
            if done.cancelled() or done.exception() is not None:
                self.post(line)

        sent.add_done_callback(look)

    def flush(self) -> None:
        """Write what waits. Keeps it, and says so, when the disk refuses."""
        self._scheduled = False
        if not self._waiting:
            return
        try:
            descriptor = self._open()
            before = os.fstat(descriptor).st_size
            try:
                _write(descriptor, b"".join(waiting.data for waiting in self._waiting))
                os.fsync(descriptor)
            except OSError:
                # Half a line would swallow the next one.
                os.ftruncate(descriptor, before)
                raise
        except OSError as error:
            log.critical("journal.not_written", path=str(self.path), lines=len(self._waiting), error=str(error))
            self._tell(written=False)
            return
        self._tell(written=True)
        self._waiting.clear()

    def _tell(self, *, written: bool) -> None:
        for waiting in self._waiting:
            if not waiting.written.done():
                waiting.written.set_result(written)

    def _open(self) -> int:
        if self._descriptor is None:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            while self._descriptor is None:
                descriptor = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
                # Somebody who takes files of dead workers may have found it before it was locked.
                if lock(descriptor, self.path):
                    self._descriptor = descriptor
                else:
                    os.close(descriptor)
                    self.path = self.path.with_name(f"{worker_id()}.jsonl")
            directory = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        return self._descriptor

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._descriptor, size, offset) if self._descriptor is not None else b""

    def truncate_if(self, size: int) -> bool:
        """Empty the file if it is still ``size`` bytes long, that is: if nothing was added since it was read."""
        if self._descriptor is None or self.size != size:
            return False
        os.ftruncate(self._descriptor, 0)
        return True

    def close(self) -> None:
        """Write what waits and let go of the file; an empty one is removed."""
        self.flush()
        if self._descriptor is not None:
            if self.size == 0:
                self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None


_ENCODER = msgspec.json.Encoder()
CALL = msgspec.json.Decoder(Call)
NOTE = msgspec.json.Decoder(NoteLine)


def decode(line: bytes) -> Call | NoteLine:
    """The call or note in a line. Raises msgspec.DecodeError for anything else."""
    try:
        return CALL.decode(line)
    except msgspec.ValidationError:
        return NOTE.decode(line)


def remove(path: Path) -> None:
    """Delete a file that has been sent."""
    path.unlink(missing_ok=True)


def worker_id() -> str:
    """Names this process and no other, ever."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


_of_process: Journal | None = None


def journal() -> Journal:
    """The process's journal, under IKIRO_STATE_DIR."""
    global _of_process
    if _of_process is None:
        _of_process = Journal(Path(settings.IKIRO_STATE_DIR) / "journal")
    return _of_process
