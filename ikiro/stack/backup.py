"""``make backup``: one archive of everything or of one organization, while the gateway runs or not."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from ikiro.stack.archive import Manifest, Organization, describe_members, write_archive
from ikiro.stack.dump import dump_database, dump_roles
from ikiro.stack.environment import Installation
from ikiro.stack.errors import BackupRefused, StackError
from ikiro.stack.orgrows import export_rows, find_organization
from ikiro.stack.places import PROJECT_ROOT, resolve_places
from ikiro.stack.session import servers
from ikiro.stack.valkeyfile import save_snapshot
from ikiro.stack.vault import ask_passphrase

KEYRING = "keyring.json"
# Not copied as files from the state directory: in the archive in another form, or only of the moment.
NOT_FILES = frozenset({"postgres", "valkey", "secrets", "logs", "children.json"})


def command(arguments: argparse.Namespace) -> int:
    """``python -m ikiro.stack backup [--org SLUG] [--output FILE]``; the exit code."""
    try:
        target = back_up(org=arguments.org, output=arguments.output, environ=os.environ)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Written: {target} ({target.stat().st_size / 1e6:.1f} MB). Without the passphrase it cannot be restored.")
    return 0


def back_up(*, org: str | None, output: Path | None, environ: Mapping[str, str]) -> Path:
    """Write an archive and return its path. Raises StackError; nothing is left behind then."""
    now = datetime.now(UTC)
    target = output or Path(f"ikiro-{org or 'everything'}-{now:%Y%m%dT%H%M%SZ}.tar")
    if target.exists():
        raise BackupRefused(f"{target} exists already.")
    if not target.absolute().parent.is_dir():
        raise BackupRefused(f"The directory {target.absolute().parent} does not exist.")
    passphrase = ask_passphrase(environ, confirm=True)
    places = resolve_places(environ)
    if not (places.postgres_data / "PG_VERSION").exists() and not environ.get("IKIRO_DATABASE_URL"):
        raise BackupRefused(f"There is nothing to back up in {places.state}.")
    with (
        servers(places, environ=environ, purpose="backup") as installation,
        tempfile.TemporaryDirectory(prefix=".ikiro-backup-", dir=target.absolute().parent) as work,
    ):
        folder = Path(work) / "members"
        folder.mkdir()
        with psycopg.connect(installation.env["IKIRO_DATABASE_URL"]) as connection:
            organization = None if org is None else find_organization(connection, org)
            if organization is None:
                _everything(installation, folder=folder)
            else:
                _one_organization(connection, installation, organization, folder=folder)
            manifest = Manifest(
                kind="everything" if organization is None else "organization",
                created_at=now.isoformat(),
                product_version=product_version(),
                postgres_major=connection.info.server_version // 10_000,
                organization=organization,
                valkey=(folder / "valkey.rdb").exists(),
                members=describe_members(folder),
            )
        secrets = _secrets(installation, only_keyring=organization is not None)
        write_archive(target, folder=folder, manifest=manifest, secrets=secrets, passphrase=passphrase)
    return target


def is_data(entry: Path) -> bool:
    """Whether an entry of the state directory is copied as it is: journals, files of organizations, and the like."""
    return entry.name not in NOT_FILES and entry.suffix != ".lock" and not entry.name.startswith((".", "replaced-"))


def product_version() -> str:
    """The version in pyproject.toml."""
    return str(tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def _everything(installation: Installation, *, folder: Path) -> None:
    # Valkey first: usage that reaches PostgreSQL between the two is in both, and settling it again changes nothing.
    # The other way round it would be in neither.
    if installation.valkey is not None:
        save_snapshot(installation.valkey, target=folder / "valkey.rdb")
    else:
        print("The server of IKIRO_REDIS_URL is yours to back up: this archive is without it.", file=sys.stderr)
    state = installation.places.state
    for entry in state.iterdir():
        if not is_data(entry):
            continue
        if entry.is_dir():
            shutil.copytree(entry, folder / "files" / entry.name, symlinks=True)
        else:
            (folder / "files").mkdir(exist_ok=True)
            shutil.copy2(entry, folder / "files" / entry.name)
    url = installation.env["IKIRO_DATABASE_URL"]
    dump_roles(url, target=folder / "roles.sql")
    dump_database(url, target=folder / "database.dump")


def _one_organization(
    connection: psycopg.Connection[tuple[object, ...]],
    installation: Installation,
    organization: Organization,
    *,
    folder: Path,
) -> None:
    connection.rollback()  # the look-up began a transaction; the snapshot needs its own isolation
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    row = connection.execute("SELECT pg_export_snapshot()").fetchone()
    snapshot = str(row[0]) if row else ""
    rows = folder / "public"
    rows.mkdir()
    export_rows(connection, organization, folder=rows)
    url = installation.env["IKIRO_DATABASE_URL"]
    dump_database(url, target=folder / "schema.dump", schema=organization.schema, snapshot=snapshot)


def _secrets(installation: Installation, *, only_keyring: bool) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    if not only_keyring:
        files = {path.name: path.read_bytes() for path in installation.places.secrets.iterdir() if path.is_file()}
    files[KEYRING] = keyring_content(installation.env)
    return files


def keyring_content(env: Mapping[str, str]) -> bytes:
    """The key ring in use, from its file or, where the operator gives it so, from the environment."""
    file = env.get("IKIRO_KEYRING_FILE")
    return Path(file).read_bytes() if file else env["IKIRO_KEYRING"].encode()
