"""One embedded Valkey server: start, stop, and start again after anything."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from ikiro.stack.binaries import valkey_server
from ikiro.stack.errors import StackError
from ikiro.stack.leash import leashed
from ikiro.stack.processes import holders, is_alive, send, wait_until
from ikiro.stack.redisurls import STATE_DB, with_db
from ikiro.stack.resp import RespError, ask

READY_SECONDS = 60.0  # loading a large append-only file
STOP_SECONDS = 20.0

# `noeviction` and the append-only file are invariant 5: a process kill loses nothing that was acknowledged. `everysec`
# would not do: it answers before it writes while an fsync is slow. Without fsync each answer comes after its write, and
# only a machine that loses power loses what the kernel had not written yet (ADR-0026).
_SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "databases": "16",
    "appendonly": "yes",
    "appendfsync": "no",
    "aof-load-truncated": "yes",
    "maxmemory-policy": "noeviction",
    "save": "",
    "daemonize": "no",
}


class Valkey:
    """The server over ``data`` that listens on ``valkey.sock`` in ``runtime`` and logs to ``log``."""

    def __init__(self, *, data: Path, runtime: Path, log: Path, settings: dict[str, str] | None = None) -> None:
        self.data = data
        self.socket = runtime / "valkey.sock"
        self.log = log
        self._settings = {**_SETTINGS, **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, db: int = STATE_DB) -> str:
        """A redis-py URL over the unix socket."""
        return with_db(f"unix://{self.socket}", db)

    @property
    def pid(self) -> int | None:
        """The pid of the live server over ``data``, whoever started it."""
        found = holders(self.data, program="valkey-server")
        return found[0] if found else None

    def start(self) -> None:
        """Start and wait until it answers. A server that already runs over ``data`` is adopted."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start without waiting."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.pid is not None:
            if wait_until(self.ready, timeout=2.0):  # it may only be loading
                return
            self.stop()  # a second server over the same append-only file would ruin it
        self._reap()
        self.socket.unlink(missing_ok=True)
        settings = {**self._settings, "dir": str(self.data), "unixsocket": str(self.socket)}
        flags = [part for name, value in settings.items() for part in (f"--{name}", value)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                leashed([str(valkey_server()), *flags], number=signal.SIGTERM),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
            )

    def wait_ready(self, pause: Callable[[float], None] = time.sleep) -> None:
        """Wait until commands are served; raises StackError with the end of the log when that fails.

        ``pause(seconds)`` is called between looks and may raise to end the wait.
        """
        started = time.monotonic()
        while not self.ready():
            if self._process is not None and self._process.poll() is not None:
                raise StackError(f"Valkey did not start. The end of {self.log}:\n{self._log_tail()}")
            if time.monotonic() - started > READY_SECONDS:
                raise StackError(f"Valkey was not ready after {READY_SECONDS:.0f} s; see {self.log}")
            pause(0.01)

    def ready(self) -> bool:
        """Whether it serves commands (it refuses them while it loads its file)."""
        try:
            return ask(self.socket, "PING", timeout=1.0) == "PONG"
        except (OSError, RespError):
            return False

    def alive(self) -> bool:
        """Whether the server that we started or adopted still runs; cheaper than ``pid``."""
        return self._process.poll() is None if self._process is not None else self.pid is not None

    def stop(self) -> None:
        """Orderly shutdown: the append-only file is written and synced. No error when nothing runs."""
        for number, patience in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 5.0)):
            pid = self._target()
            if pid is None:
                break
            send([pid], signal.SIGCONT)
            send([pid], number)
            wait_until(lambda pid=pid: not is_alive(pid), timeout=patience)  # type: ignore[misc]
        self._reap()

    def kill(self) -> None:
        """SIGKILL, as a crash would end it."""
        target = self._target()
        send([*holders(self.data, program="valkey-server"), *([target] if target else [])], signal.SIGKILL)
        wait_until(lambda: self.pid is None, timeout=10)
        self._reap()

    def pause(self) -> None:
        """Freeze the process (SIGSTOP): connections open, nothing answers."""
        send(holders(self.data, program="valkey-server"), signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on (SIGCONT)."""
        send(holders(self.data, program="valkey-server"), signal.SIGCONT)

    def ask(self, *words: str) -> object:
        """One command on database 0; its reply. For backups and tests."""
        return ask(self.socket, *words)

    def _log_tail(self) -> str:
        with contextlib.suppress(OSError):
            return b"\n".join(self.log.read_bytes().splitlines()[-8:]).decode("utf-8", "replace")
        return ""

    def _target(self) -> int | None:
        """The live server, or our own start of it that has not got that far."""
        if self._process is not None and self._process.poll() is None:
            return self._process.pid
        return self.pid

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait(timeout=10)
            self._process = None
