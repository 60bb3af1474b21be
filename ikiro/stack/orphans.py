"""Children of a supervisor that was killed where the kernel does not end them (anything but Linux)."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from ikiro.stack.processes import command_line, send, wait_until

_MARKS = ("ikiro.asgi:application", "celery -A ikiro", "manage.py scheduler")


def record_children(state: Path, pids: list[int]) -> None:
    """Note who runs now, for the next start."""
    path = state / "children.json"
    draft = path.with_name("children.json.new")
    draft.write_text(json.dumps(pids), encoding="ascii")
    draft.replace(path)


def end_orphans(state: Path) -> list[int]:
    """Kill what a former supervisor of this state directory left running; the pids. Call with the lock held.

    A pid is only trusted with a command line of ours: it may belong to a stranger by now.
    """
    try:
        pids = [int(pid) for pid in json.loads((state / "children.json").read_text(encoding="ascii"))]
    except (OSError, ValueError):
        return []
    orphans = [pid for pid in pids if _is_ours(pid)]
    send(orphans, signal.SIGKILL)
    wait_until(lambda: not any(_is_ours(pid) for pid in orphans), timeout=5.0)
    return orphans


def _is_ours(pid: int) -> bool:
    return any(mark in command_line(pid) for mark in _MARKS)
