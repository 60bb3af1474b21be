"""One organization back into an existing installation that does not have it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from ikiro.stack.archive import Organization
from ikiro.stack.backup import keyring_content
from ikiro.stack.dump import restore_database
from ikiro.stack.environment import Installation, describe_installation
from ikiro.stack.errors import BackupRefused, StackError
from ikiro.stack.orgrows import import_rows
from ikiro.stack.places import Places
from ikiro.stack.session import start_servers, stop_servers


def restore_organization(
    places: Places, organization: Organization, *, folder: Path, keyring: bytes, environ: Mapping[str, str]
) -> list[str]:
    """Bring the organization's schema, its public rows and the keys it needs; what was done.

    Raises BackupRefused when the organization, its slug or its schema exists. The caller holds the lock.
    """
    installation = describe_installation(places, environ=environ)
    if installation.postgres is not None and not (places.postgres_data / "PG_VERSION").exists():
        raise BackupRefused(f"{places.state} holds no installation. Start one first (make up), stop it, restore again.")
    try:
        start_servers(installation)
        return _restore(installation, organization, folder=folder, keyring=keyring)
    finally:
        stop_servers(installation)


def _restore(installation: Installation, organization: Organization, *, folder: Path, keyring: bytes) -> list[str]:
    url = installation.env["IKIRO_DATABASE_URL"]
    merged = _merged_keyring(keyring_content(installation.env), keyring, env=installation.env)
    with psycopg.connect(url, autocommit=True) as connection:
        _require_absent(connection, organization)
        try:
            # The schema first and outside the transaction (pg_restore has its own connection); without the
            # organization's row nobody looks at it, and it is dropped again if the rows fail.
            restore_database(url, source=folder / "schema.dump")
            with connection.transaction():
                counts = import_rows(connection, organization, folder=folder / "public")
        except (psycopg.Error, StackError) as error:
            drop = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(organization.schema))
            connection.execute(drop)
            if isinstance(error, StackError):
                raise
            raise StackError(f"The organization's rows could not be restored: {error}") from error
    if merged is not None:
        _replace_file(Path(installation.env["IKIRO_KEYRING_FILE"]), merged)
    rows = sum(counts.values())
    return [
        f"Organization {organization.slug} is back: schema {organization.schema}, {rows} rows in public tables.",
        *(["The keys that its secrets need were added to the key ring."] if merged is not None else []),
        "Start the gateway with: make up",
    ]


def _require_absent(connection: psycopg.Connection[tuple[object, ...]], organization: Organization) -> None:
    found = connection.execute(
        "SELECT 1 FROM public.tenants_organization WHERE id = %(id)s OR slug = %(slug)s OR schema_name = %(schema)s "
        "UNION ALL SELECT 1 FROM pg_namespace WHERE nspname = %(schema)s",
        {"id": organization.id, "slug": organization.slug, "schema": organization.schema},
    ).fetchone()
    if found is not None:
        raise BackupRefused(f"An organization {organization.slug!r} (or one with its schema) exists here already.")


def _merged_keyring(here: bytes, archived: bytes, *, env: Mapping[str, str]) -> bytes | None:
    """The key ring here plus the archived keys, or None when it has them all. The active key stays."""
    ring = json.loads(here)
    theirs = json.loads(archived)["keys"]
    differing = [kid for kid, key in theirs.items() if ring["keys"].get(kid, key) != key]
    if differing:
        raise BackupRefused(f"The key ring here has other keys under the names {', '.join(differing)}.")
    missing = {kid: key for kid, key in theirs.items() if kid not in ring["keys"]}
    if not missing:
        return None
    if "IKIRO_KEYRING_FILE" not in env:
        raise BackupRefused(
            f"Add the keys {', '.join(missing)} to IKIRO_KEYRING first; it is not a file that we may write."
        )
    return json.dumps({**ring, "keys": {**ring["keys"], **missing}}).encode()


def _replace_file(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.touch(mode=0o600)
    draft.write_bytes(content)
    draft.replace(path)
