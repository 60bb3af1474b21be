"""``make restore FILE=…``: everything into an empty installation, or one organization into an existing one."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ikiro.stack.archive import Manifest, read_archive
from ikiro.stack.binaries import POSTGRES_MAJOR
from ikiro.stack.errors import BackupRefused, StackError
from ikiro.stack.places import resolve_places
from ikiro.stack.restoreall import restore_everything
from ikiro.stack.restoreorg import restore_organization
from ikiro.stack.session import exclusive
from ikiro.stack.vault import ask_passphrase


def command(arguments: argparse.Namespace) -> int:
    """``python -m ikiro.stack restore FILE [--force]``; the exit code."""
    try:
        for line in restore(arguments.file, force=arguments.force, environ=os.environ):
            print(line)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def restore(source: Path, *, force: bool, environ: Mapping[str, str]) -> list[str]:
    """Bring an archive back; what was done, in sentences. Raises StackError, and then the installation is as before."""
    if not source.is_file():
        raise BackupRefused(f"{source} does not exist.")
    passphrase = ask_passphrase(environ, confirm=False)
    places = resolve_places(environ)
    with (
        exclusive(places, purpose="restore"),
        tempfile.TemporaryDirectory(prefix=".restore-", dir=places.state) as work,
    ):
        folder = Path(work)
        manifest, secrets = read_archive(source, into=folder, passphrase=passphrase)
        _require_readable(manifest)
        if manifest.organization is not None:
            done = restore_organization(
                places, manifest.organization, folder=folder, keyring=secrets["keyring.json"], environ=environ
            )
        else:
            done = restore_everything(places, manifest, folder=folder, secrets=secrets, force=force, environ=environ)
    return [f"Archive of {manifest.created_at} by version {manifest.product_version}.", *done]


def _require_readable(manifest: Manifest) -> None:
    if manifest.postgres_major > POSTGRES_MAJOR:
        raise BackupRefused(
            f"The archive comes from PostgreSQL {manifest.postgres_major}; this release brings {POSTGRES_MAJOR}."
        )
