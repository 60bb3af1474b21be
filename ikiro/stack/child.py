"""One process that the supervisor keeps alive, and how long it waits before it starts it again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from ikiro.stack.leash import leashed
from ikiro.stack.output import LogFile

BACKOFF_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
STEADY_SECONDS = 60.0  # alive for this long, the next crash counts as the first


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """``patience`` is how many seconds a child gets to end by itself after SIGTERM."""

    name: str
    argv: tuple[str, ...]
    patience: float


class Child:
    """A spawned ChildSpec. All methods return at once; the supervisor's loop does the waiting."""

    def __init__(self, spec: ChildSpec, *, env: dict[str, str], cwd: Path, log: LogFile) -> None:
        self.spec = spec
        self.log = log
        self.exits = 0
        self.restart_at: float | None = None
        self._env = env
        self._cwd = cwd
        self._started = 0.0
        self._crashes = 0
        self._process: subprocess.Popen[bytes] | None = None

    def spawn(self) -> int:
        """Start it; the descriptor that its output (both streams) is read from."""
        read, write = os.pipe()
        try:
            self._process = subprocess.Popen(
                # SIGKILL: an orphan must not hold the port while it drains; leases and journals cover the loss
                leashed(list(self.spec.argv), number=signal.SIGKILL),
                stdin=subprocess.DEVNULL,
                stdout=write,
                stderr=write,
                cwd=self._cwd,
                env=self._env,
                start_new_session=True,  # Ctrl-C reaches only the supervisor, which stops children in order
            )
        finally:
            os.close(write)
        self._started = time.monotonic()
        self.restart_at = None
        return read

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def returncode(self) -> int | None:
        """None while it runs (or was never started); otherwise how it ended, negative for a signal."""
        return self._process.poll() if self._process is not None else None

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def plan_restart(self) -> float:
        """Take note of an end that nobody asked for; the seconds until the next start."""
        now = time.monotonic()
        self._crashes = 1 if now - self._started >= STEADY_SECONDS else self._crashes + 1
        self.exits += 1
        delay = BACKOFF_SECONDS[min(self._crashes, len(BACKOFF_SECONDS)) - 1]
        self.restart_at = now + delay
        self._process = None
        return delay

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; SIGKILL goes to its whole process group."""
        if self._process is None or self._process.poll() is not None:
            return
        if number is signal.SIGKILL:
            os.killpg(self._process.pid, number)
        else:
            self._process.send_signal(number)
