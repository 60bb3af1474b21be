"""Valkey's data as one file: out by BGSAVE, back in through a start without the append-only file."""

from __future__ import annotations

import shutil
from pathlib import Path

from ikiro.stack.errors import StackError
from ikiro.stack.processes import wait_until
from ikiro.stack.valkey import Valkey

_SNAPSHOT = "dump.rdb"
_PATIENCE = 300.0


def save_snapshot(valkey: Valkey, *, target: Path) -> None:
    """Copy a consistent snapshot of the running server to ``target``."""
    before = _field(valkey, "rdb_saves")
    valkey.ask("BGSAVE", "SCHEDULE")  # scheduled, should the append-only file be rewritten at this moment
    saved = wait_until(
        # the counter goes up when the snapshot begins
        lambda: _field(valkey, "rdb_saves") != before and _field(valkey, "rdb_bgsave_in_progress") == "0",
        timeout=_PATIENCE,
        interval=0.05,
    )
    if not saved or _field(valkey, "rdb_last_bgsave_status") != "ok":
        raise StackError(f"Valkey could not write its snapshot; see {valkey.log}")
    shutil.copyfile(valkey.data / _SNAPSHOT, target)
    (valkey.data / _SNAPSHOT).unlink()


def load_snapshot(valkey: Valkey, *, source: Path) -> None:
    """Fill the empty data directory of a stopped server from a snapshot; it is stopped again afterwards.

    With the append-only file switched on, a server never looks at a snapshot: so it starts without, and switching
    the file on then writes everything to it.
    """
    valkey.data.mkdir(mode=0o700, parents=True)
    shutil.copyfile(source, valkey.data / _SNAPSHOT)
    loader = Valkey(data=valkey.data, runtime=valkey.socket.parent, log=valkey.log, settings={"appendonly": "no"})
    loader.start()
    try:
        loader.ask("CONFIG", "SET", "appendonly", "yes")
        written = wait_until(
            lambda: _field(loader, "aof_rewrite_in_progress") == "0" and _field(loader, "aof_rewrite_scheduled") == "0",
            timeout=_PATIENCE,
            interval=0.05,
        )
        if not written or _field(loader, "aof_last_bgrewrite_status") != "ok":
            raise StackError(f"Valkey could not take the snapshot over; see {valkey.log}")
    finally:
        loader.stop()
    (valkey.data / _SNAPSHOT).unlink(missing_ok=True)


def _field(valkey: Valkey, name: str) -> str:
    for line in str(valkey.ask("INFO", "persistence")).splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return value
    return ""
