"""pg_dump and pg_restore over a URL, with the roles that the privileges in a dump refer to."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import psycopg

from ikiro.stack.binaries import postgres_binaries
from ikiro.stack.errors import StackError
from ikiro.stack.postgres import client_environment

_ABOUT_ROLE = re.compile(r'^(?:CREATE|ALTER) ROLE ("(?:[^"]|"")+"|\w+)')


def dump_database(url: str, *, target: Path, schema: str | None = None, snapshot: str | None = None) -> None:
    """A custom-format dump of the whole database, or of one schema as seen by an exported snapshot."""
    options = [*(("--schema", schema) if schema else ()), *(("--snapshot", snapshot) if snapshot else ())]
    _run("pg_dump", "--dbname", url, "--format=custom", "--compress=6", "--file", str(target), *options)


def dump_roles(url: str, *, target: Path) -> None:
    """The server's roles and memberships, without passwords."""
    _run("pg_dumpall", "--dbname", url, "--roles-only", "--no-role-passwords", "--file", str(target))


def restore_roles(url: str, *, source: Path) -> None:
    """Make the roles that are missing, and the memberships. A role that exists keeps its attributes."""
    with psycopg.connect(url) as connection:
        existing = {str(row[0]) for row in connection.execute("SELECT rolname FROM pg_roles").fetchall()}
    lines = source.read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line.startswith("GRANT ") or _role_of(line) not in {"", *existing}]
    _run("psql", "--dbname", url, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-", stdin="\n".join(wanted))


def restore_database(url: str, *, source: Path) -> None:
    """Bring a dump into a database that does not hold its objects yet; raises StackError at the first failure."""
    _run("pg_restore", "--dbname", url, "--exit-on-error", "--no-owner", str(source))


def _role_of(line: str) -> str:
    """The role that a line of pg_dumpall makes or alters; empty for any other line."""
    match = _ABOUT_ROLE.match(line)
    return match[1].strip('"').replace('""', '"') if match else ""


def _run(program: str, *arguments: str, stdin: str | None = None) -> None:
    done = subprocess.run(
        [postgres_binaries().path(program), *arguments],
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=client_environment(),
    )
    if done.returncode != 0:
        raise StackError(f"{program} failed ({done.returncode}):\n{done.stderr.strip()}")
