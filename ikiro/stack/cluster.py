"""Making and checking a PostgreSQL data directory."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from ikiro.stack.errors import PostgresMajorMismatch, StackError
from ikiro.stack.identity import Identity

OWNER = "ikiro_owner"
DATABASE = "ikiro"

# Only the unix socket exists, in a directory of mode 0700: who can reach it is already the owner of the data.
_HBA = "local all all trust\n"


def ensure_cluster(data: Path, *, identity: Identity, sync: bool = True) -> bool:
    """Make the cluster with the database ``ikiro`` and pgvector in it, unless it is there. Whether it was made.

    All happens beside ``data`` and is moved into place at the end, so a kill in between leaves nothing half made.
    Raises PostgresMajorMismatch for a cluster of another major version.
    """
    if (data / "PG_VERSION").exists():
        _check_major(data, major=identity.binaries.major)
        return False
    final = Path(os.path.realpath(data))
    if final.exists() and any(final.iterdir()):
        raise StackError(f"{final} is not empty and is no PostgreSQL data directory.")
    building = final.with_name(f"{final.name}.new")
    shutil.rmtree(building, ignore_errors=True)
    _initdb(building, identity=identity, sync=sync)
    _sql(building, database="template1", statement="CREATE EXTENSION vector;", identity=identity)
    _sql(building, database="postgres", statement=f"CREATE DATABASE {DATABASE} OWNER {OWNER};", identity=identity)
    if final.exists():
        final.rmdir()
    building.rename(final)
    return True


def _check_major(data: Path, *, major: int) -> None:
    found = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    if found != str(major):
        raise PostgresMajorMismatch(
            f"The data in {data} was written by PostgreSQL {found}, and this release brings PostgreSQL {major}. "
            f"Make a backup with the release that wrote it (make backup), move {data.parent} away, then restore it "
            "here (make restore FILE=…)."
        )


def _initdb(target: Path, *, identity: Identity, sync: bool) -> None:
    # The built-in C.UTF-8 is the same on every machine and needs no locale of the operating system.
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    command = identity.argv("initdb", "-D", str(target), "-U", OWNER, "-A", "trust", "--no-instructions", *locale)
    _run([*command, *(() if sync else ("--no-sync",))], identity=identity)
    hba = target / "pg_hba.conf"
    hba.write_text(_HBA, encoding="ascii")


def _sql(data: Path, *, database: str, statement: str, identity: Identity) -> None:
    """Run one statement in single-user mode: no socket, no port, no other process."""
    command = identity.argv("postgres", "--single", "-D", str(data), database)
    output = _run(command, identity=identity, stdin=statement + "\n")
    if "ERROR:" in output or "FATAL:" in output:
        raise StackError(f"{statement!r} failed while making the database:\n{output}")


def _run(command: list[str], *, identity: Identity, stdin: str = "") -> str:
    """Run a program to its end; its output. Raises StackError with that output when it fails."""
    done = subprocess.run(
        command,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        cwd="/",  # ours may be unreadable to the user that the program runs as
        user=identity.user,
        group=identity.group,
        extra_groups=[] if identity.user is not None else None,
        umask=0o077,
    )
    if done.returncode != 0:
        raise StackError(f"{' '.join(command)} failed ({done.returncode}):\n{done.stdout.strip()}")
    return done.stdout
