"""One embedded PostgreSQL server: start, stop, and start again after anything."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from ikiro.stack.binaries import postgres_binaries
from ikiro.stack.cluster import DATABASE, OWNER, ensure_cluster
from ikiro.stack.errors import StackError
from ikiro.stack.identity import Identity, choose_identity
from ikiro.stack.leash import leashed
from ikiro.stack.processes import holders, is_alive, send, wait_until

RETRY_SECONDS = 15.0  # a killed server's backends and pid file may linger this long
READY_SECONDS = 60.0  # includes crash recovery
STOP_SECONDS = 30.0
ANSWER_SECONDS = 5.0  # a server that takes longer to answer SELECT 1 is not adopted

# Sized for a laptop: the whole product stays under 700 MB. 60 connections are one web process (12), a worker (5),
# the scheduler (1), `direct` ones, and room for a second web process, psql and a backup.
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "max_locks_per_transaction": "512",  # a dump locks every table of every tenant schema at once
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "io_method": "sync",  # no extra I/O worker processes
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "unix_socket_permissions": "0700",
}
# Commits stay synchronous: a write without fsync costs nothing, and tests that kill the server keep every commit.
_TEST_SETTINGS = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}


class Postgres:
    """The server over ``data`` that listens on a socket in ``runtime`` and logs to ``log``.

    ``test=True`` gives up surviving a power cut (not a kill) for speed. On Linux it stops when its starter dies.
    """

    def __init__(
        self, *, data: Path, runtime: Path, log: Path, test: bool = False, settings: dict[str, str] | None = None
    ) -> None:
        self.data = data
        self.runtime = runtime
        self.log = log
        self._settings = {**_SETTINGS, **(_TEST_SETTINGS if test else {}), **(settings or {})}
        self._test = test
        self._chosen: Identity | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """A libpq URI over the unix socket; no password exists."""
        return f"postgresql://{OWNER}@/{DATABASE}?host={quote(str(self.runtime), safe='/')}"

    @property
    def pid(self) -> int | None:
        """The pid of the live server over ``data``, whoever started it."""
        lines = self._pid_file()
        pid = int(lines[0]) if lines and lines[0].strip().lstrip("-").isdigit() else 0
        return pid if pid and pid in holders(self.data, program="postgres") else None

    def start(self) -> None:
        """Start and wait until it answers. A server that already runs over ``data`` is adopted."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start without waiting. Makes the cluster if there is none; clears what a crash left behind."""
        ensure_cluster(self.data, identity=self._identity(), sync=not self._test)
        if self._adopt():
            return
        self._clear_leftovers()
        self._spawn()

    def wait_ready(self, pause: Callable[[float], None] = time.sleep) -> None:
        """Wait until connections are taken; raises StackError with the end of the log when that fails.

        ``pause(seconds)`` is called between looks and may raise to end the wait.
        """
        started = time.monotonic()
        while not self.ready():
            if self._process is not None and self._process.poll() is not None:
                if time.monotonic() - started > RETRY_SECONDS or not self._failed_on_leftovers():
                    raise StackError(f"PostgreSQL did not start. The end of {self.log}:\n{self._log_tail()}")
                pause(0.5)
                self._clear_leftovers()
                self._spawn()
            if time.monotonic() - started > READY_SECONDS:
                raise StackError(f"PostgreSQL was not ready after {READY_SECONDS:.0f} s; see {self.log}")
            pause(0.01)

    def ready(self) -> bool:
        """Whether the live server over ``data`` accepts connections."""
        lines = self._pid_file()
        return len(lines) >= 8 and lines[7].strip() == "ready" and is_alive(int(lines[0]))

    def alive(self) -> bool:
        """Whether the server that we started or adopted still runs; cheaper than ``pid``."""
        if self._process is not None:
            return self._process.poll() is None
        lines = self._pid_file()
        return bool(lines) and lines[0].strip().isdigit() and is_alive(int(lines[0]))

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, clients disconnected. No error when nothing runs."""
        for number, patience in (
            (signal.SIGINT, STOP_SECONDS),
            (signal.SIGQUIT, 5.0),  # immediate; the next start recovers
            (signal.SIGKILL, 5.0),
        ):
            pid = self._target()
            if pid is None:
                break
            send([pid], number)
            wait_until(lambda pid=pid: not is_alive(pid), timeout=patience)  # type: ignore[misc]
        self._reap()

    def kill(self) -> None:
        """SIGKILL to the server and every backend, as a power cut would end them."""
        target = self._target()
        send([*holders(self.data, program="postgres"), *([target] if target else [])], signal.SIGKILL)
        wait_until(lambda: not holders(self.data, program="postgres"), timeout=10)
        self._reap()

    def psql(self, sql: str, *, database: str = DATABASE, timeout: float | None = None) -> str:
        """Run SQL through psql as the owner; unaligned tuples. Raises StackError with psql's message.

        ``timeout`` (seconds) ends a psql that gets no answer; without it, it waits.
        """
        command = [*self.client("psql", database=database), "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-c", sql]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, env=client_environment(), timeout=timeout
            )
        except subprocess.TimeoutExpired:
            raise StackError(f"psql: no answer within {timeout} s") from None
        if done.returncode != 0:
            raise StackError(f"psql: {done.stderr.strip()}")
        return done.stdout.strip()

    def client(self, program: str, *, database: str = DATABASE) -> list[str]:
        """The command line of a client program (``psql``, ``pg_dump`` …) connected to this server."""
        return [postgres_binaries().path(program), "-h", str(self.runtime), "-U", OWNER, "-d", database]

    def _adopt(self) -> bool:
        lines = self._pid_file()
        if self.pid is None or not self.ready() or lines[4].strip() != str(self.runtime) or not self._answers():
            return False
        if self._process is not None and self._process.poll() is not None:
            self._process = None  # ours has ended; somebody else's runs
        return True

    def _answers(self) -> bool:
        """Whether it answers: a server just killed still has its pid and its pid file, but forks no backend."""
        try:
            return self.psql("SELECT 1", timeout=ANSWER_SECONDS) == "1"
        except StackError:
            return False

    def _clear_leftovers(self) -> None:
        """Wait for a dying server, end orphaned backends, and remove a pid file that names nobody alive."""

        def free() -> bool:
            return not holders(self.data, program="postgres")

        if not wait_until(free, timeout=0.5):
            if (pid := self.pid) is not None:
                send([pid], signal.SIGINT)  # half started, already stopping, or bound to another socket
            if not wait_until(free, timeout=RETRY_SECONDS / 2):
                send(holders(self.data, program="postgres"), signal.SIGKILL)
                if not wait_until(free, timeout=RETRY_SECONDS / 2):
                    raise StackError(f"Processes that cannot be ended still use {self.data}.")
        for leftover in (self.data / "postmaster.pid", *self.runtime.glob(".s.PGSQL.5432*")):
            leftover.unlink(missing_ok=True)

    def _identity(self) -> Identity:
        if self._chosen is None:
            self._chosen = choose_identity(data=self.data, binaries=postgres_binaries())
        return self._chosen

    def _spawn(self) -> None:
        identity = self._identity()
        flags = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        if identity.user is not None:
            identity.own(self.runtime)
        self._reap()
        argv = identity.argv("postgres", "-D", str(self.data.resolve()), "-k", str(self.runtime), *flags)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                leashed(argv, number=signal.SIGINT, user=identity.user, group=identity.group),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=client_environment(),
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops servers last
                umask=0o077,
            )

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return []

    def _failed_on_leftovers(self) -> bool:
        tail = self._log_tail()
        return "lock file" in tail or "pre-existing shared memory" in tail

    def _log_tail(self) -> str:
        try:
            return b"\n".join(self.log.read_bytes().splitlines()[-8:]).decode("utf-8", "replace")
        except OSError:
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


def client_environment() -> dict[str, str]:
    """The environment without PG* variables: a developer's PGHOST or PGSERVICE must not redirect us."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def remove_cluster(data: Path) -> None:
    """Delete a data directory, also one behind a link. The server must not run."""
    shutil.rmtree(os.path.realpath(data), ignore_errors=True)
    if data.is_symlink():
        data.unlink()
