"""Facts about other processes that outlive the Python that started them.

A pid alone proves nothing: it may be a zombie, or reused by a stranger after a reboot. Linux answers from ``/proc``
(slim images have no ``ps``); elsewhere ``ps`` answers.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

_PS = "/bin/ps"
_LINUX = sys.platform.startswith("linux")


def is_alive(pid: int) -> bool:
    """Whether ``pid`` runs. A zombie is dead: it holds no file and no port, whoever forgot to reap it."""
    if pid <= 0:
        return False
    if _LINUX:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            return False
        return stat.rpartition(")")[2].split()[0] not in {"Z", "X", "x"}
    state = _ps("-o", "stat=", "-p", str(pid))
    return bool(state) and not state.startswith("Z")


def holders(directory: Path, *, program: str) -> list[int]:
    """The pids of every live ``program`` (its short command name) that works in ``directory``.

    Both servers change into their data directory, so this also finds orphaned backends that no pid file names.
    """
    target = os.path.realpath(directory)
    if not _LINUX:
        return [pid for pid, command in _ps_commands() if program in command and target in command and is_alive(pid)]
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and _comm(entry.name) == program and _cwd(entry.name) == target:
            pid = int(entry.name)
            if is_alive(pid):
                found.append(pid)
    return found


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to each pid; one that is already gone is no error."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def wait_until(condition: Callable[[], bool], *, timeout: float, interval: float = 0.02) -> bool:
    """Poll ``condition`` for ``timeout`` seconds; whether it came true."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(interval)
    return True


def command_line(pid: int) -> str:
    """The command line of a live process, arguments joined by blanks; empty when it is gone."""
    if not _LINUX:
        return _ps("-ww", "-o", "command=", "-p", str(pid))
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _comm(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").rstrip("\n")
    except OSError:
        return ""


def _cwd(pid: str) -> str:
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return ""


def _ps(*arguments: str) -> str:
    return subprocess.run([_PS, *arguments], capture_output=True, text=True, check=False).stdout.strip()


def _ps_commands() -> list[tuple[int, str]]:
    rows = (line.split(None, 1) for line in _ps("-axww", "-o", "pid=,command=").splitlines())
    return [(int(row[0]), row[1]) for row in rows if len(row) == 2]
