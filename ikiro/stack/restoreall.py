"""Everything back: database, Valkey, files and secrets. What was there is moved aside and comes back on a failure."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg

from ikiro.stack.archive import Manifest
from ikiro.stack.backup import is_data
from ikiro.stack.dump import restore_database, restore_roles
from ikiro.stack.environment import Installation, describe_installation
from ikiro.stack.errors import BackupRefused
from ikiro.stack.places import Places
from ikiro.stack.valkeyfile import load_snapshot

_START = "Start it with: make up"
_REPLACED = ("postgres", "valkey", "secrets")


def restore_everything(
    places: Places,
    manifest: Manifest,
    *,
    folder: Path,
    secrets: Mapping[str, bytes],
    force: bool,
    environ: Mapping[str, str],
) -> list[str]:
    """Fill the installation from ``folder``; what was done. One that is in use is refused without ``force``."""
    had_secrets = any(places.secrets.iterdir())
    installation = describe_installation(places, environ=environ)
    if installation.postgres is None:
        _require_empty_database(installation.env["IKIRO_DATABASE_URL"])
    in_use = places.postgres_data.exists() or places.valkey_data.exists()
    if in_use and not force:
        raise BackupRefused(
            f"{places.state} holds data already. To replace it (it is kept aside): make restore FILE=… FORCE=1"
        )
    aside = places.state / f"replaced-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    moved = _move_aside(places, aside=aside)
    try:
        done = _fill(installation, manifest, folder=folder, secrets=secrets)
    except BaseException:
        _stop(installation)
        _move_back(places, moved=moved, aside=aside)
        raise
    if not in_use and not had_secrets:  # nothing but the secrets made a moment ago
        shutil.rmtree(aside)
        return [*done, _START]
    return [*done, f"What was there before is kept in {aside}; delete it when you no longer need it.", _START]


def _fill(installation: Installation, manifest: Manifest, *, folder: Path, secrets: Mapping[str, bytes]) -> list[str]:
    places, url = installation.places, installation.env["IKIRO_DATABASE_URL"]
    places.secrets.mkdir(mode=0o700, exist_ok=True)
    for name, content in secrets.items():
        _write_secret(places.secrets / Path(name).name, content)
    if installation.postgres is not None:
        installation.postgres.start()
    restore_roles(url, source=folder / "roles.sql")
    restore_database(url, source=folder / "database.dump")
    if installation.postgres is not None:
        installation.postgres.stop()
    done = [f"The database is back ({(folder / 'database.dump').stat().st_size / 1e6:.1f} MB)."]
    if manifest.valkey and installation.valkey is not None:
        load_snapshot(installation.valkey, source=folder / "valkey.rdb")
        done.append("Valkey is back.")
    elif manifest.valkey:
        done.append(f"IKIRO_REDIS_URL names a server of yours: the archive's Valkey data was left out ({folder.name}).")
    if (folder / "files").is_dir():
        shutil.copytree(folder / "files", places.state, dirs_exist_ok=True)
    return [*done, f"{len(secrets)} secret files are back in {places.secrets}."]


def _require_empty_database(url: str) -> None:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'"
        ).fetchone()
    if row is None or row[0] != 0:
        raise BackupRefused("The database of IKIRO_DATABASE_URL holds tables. Restore into an empty one.")


def _move_aside(places: Places, *, aside: Path) -> list[tuple[Path, Path]]:
    """Rename what is there, links' targets included; pairs of (where it was, where it is)."""
    moved: list[tuple[Path, Path]] = []
    aside.mkdir(mode=0o700)
    others = [entry.name for entry in places.state.iterdir() if is_data(entry)]
    for name in (*_REPLACED, *others):
        path = places.state / name
        if path.is_symlink():  # PostgreSQL's data where root cannot use namespaces
            target = Path(os.path.realpath(path))
            parked = target.with_name(f"{target.name}.{aside.name}")
            target.rename(parked)
            moved.append((target, parked))
        if path.is_symlink() or path.exists():
            path.rename(aside / name)
            moved.append((path, aside / name))
    return moved


def _move_back(places: Places, *, moved: list[tuple[Path, Path]], aside: Path) -> None:
    for path, parked in reversed(moved):
        if path.is_symlink() or path.is_file():
            path.unlink()
        else:
            shutil.rmtree(path, ignore_errors=True)
        parked.rename(path)
    for name in _REPLACED:  # what the failed attempt made where nothing had been
        made = places.state / name
        if made not in [path for path, _ in moved]:
            shutil.rmtree(made, ignore_errors=True)
    _drop_empty(aside)


def _drop_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()


def _stop(installation: Installation) -> None:
    for server in (installation.valkey, installation.postgres):
        if server is not None:
            server.kill()


def _write_secret(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
