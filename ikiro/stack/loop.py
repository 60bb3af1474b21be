"""The supervisor's single thread: reads what children print, notices signals, and passes the time.

No threads on purpose: the kernel ties "die with your parent" to the thread that forked, and forking stays safe.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Callable
from types import FrameType

_READ_BYTES = 65536
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):
    """Somebody asked us to stop (Ctrl-C, SIGTERM, or the terminal went away)."""


class Loop:
    """Call ``install`` once, from the main thread; afterwards ``pause`` is the only way to wait."""

    def __init__(self) -> None:
        self.stop_requests = 0
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        self._buffers: dict[int, bytearray] = {}

    def install(self) -> None:
        """Take over the stop signals; each one counts up ``stop_requests`` and ends the pause at hand."""
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_signal)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)

    def watch(self, descriptor: int, on_line: Callable[[bytes], None]) -> None:
        """Hand every line read from ``descriptor`` to ``on_line`` until its end, then close it."""
        self._buffers[descriptor] = bytearray()
        self._selector.register(descriptor, selectors.EVENT_READ, on_line)

    def pause(self, seconds: float) -> None:
        """Pump output for ``seconds``, or until a stop signal. Raises Stopped once one has come."""
        self.pump(seconds)
        if self.stop_requests:
            raise Stopped

    def pump(self, seconds: float) -> None:
        """As ``pause``, but a stop signal only ends it early: for use while stopping."""
        deadline = time.monotonic() + seconds
        while True:
            for key, _ in self._selector.select(max(0.0, deadline - time.monotonic())):
                if key.data is None:
                    os.read(self._wake_read, 512)
                    return
                self._read(key.fd, key.data)
            if time.monotonic() >= deadline:
                return

    def drain(self) -> None:
        """Hand on what is already in the pipes."""
        while any(self._read(key.fd, key.data) for key, _ in self._selector.select(0) if key.data is not None):
            continue

    def _read(self, descriptor: int, on_line: Callable[[bytes], None]) -> bool:
        chunk = os.read(descriptor, _READ_BYTES)
        buffer = self._buffers[descriptor]
        buffer += chunk
        *lines, rest = bytes(buffer).split(b"\n")
        if not chunk or len(rest) >= _READ_BYTES:  # the end, or a line without one
            lines, rest = [*lines, *([rest] if rest else [])], b""
        buffer[:] = rest
        for line in lines:
            on_line(line.rstrip(b"\r"))
        if not chunk:
            self._selector.unregister(descriptor)
            os.close(descriptor)
            del self._buffers[descriptor]
        return bool(chunk)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.stop_requests += 1
