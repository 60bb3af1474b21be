"""One supervisor (or backup, or restore) per state directory at a time."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path

from ikiro.stack.processes import is_alive


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has the lock: what it does (``up``, ``backup``, ``restore``), its pid, and its URL when it serves one."""

    purpose: str
    pid: int
    url: str


class InstanceLock:
    """A file lock that the kernel frees when its holder dies in any way. Child processes do not inherit it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self, *, purpose: str, url: str = "") -> Holder | None:
        """Take the lock and say who we are: None on success, otherwise who has it."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return self._holder()
        note = json.dumps({"purpose": purpose, "pid": os.getpid(), "url": url}).encode()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, note, 0)
        self._descriptor = descriptor
        return None

    def release(self) -> None:
        """Free the lock. The file stays: deleting it would let two processes lock two different files."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def running(self) -> Holder | None:
        """Who is noted as the holder and alive; a look without taking the lock."""
        holder = self._holder()
        return holder if is_alive(holder.pid) else None

    def _holder(self) -> Holder:
        try:
            note = json.loads(self.path.read_text(encoding="utf-8"))
            return Holder(purpose=str(note["purpose"]), pid=int(note["pid"]), url=str(note["url"]))
        except (OSError, ValueError, KeyError):  # taken a moment ago and not yet described
            return Holder(purpose="start", pid=0, url="")
