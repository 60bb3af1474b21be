"""Migrations over the public schema and every organization's, and the check that they all look alike.

``migrate`` touches only what is behind (a hash of the migration graph on each organization says so), in parallel,
under one advisory lock, so that any number of starting processes may call it. ``verify`` compares every schema's
definition with the template's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.core.management import call_command
from django.core.management.commands.migrate import Command as Migrate  # django-tenants replaces the name "migrate"
from django.db import connections

from tenants.connections import refuse_overcommitment
from tenants.models import OrganizationRow
from tenants.provisioning.graph import graph_hash, names
from tenants.provisioning.template import TEMPLATE_SCHEMA, ensure_template, grant

_LOCK = 7_021_002
_ROLES = ("ikiro_app", "ikiro_batch")
_WORKERS = 2


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a fleet migration did: whether the public schema moved, the schemas that moved and those that failed with
    their error."""

    public: bool
    schemas: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]


def migrate(say: Callable[[str], None] = lambda line: None) -> Migrated:
    """Bring roles, public schema, template and every organization up to the code's migrations."""
    refuse_overcommitment()
    owner = connections["owner"]
    with owner.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        _ensure_roles()
        public = _migrate_public(say)
        with owner.cursor() as cursor:
            _grant_public(cursor)  # always: an earlier run may have died before it came to this
        ensure_template()
        behind = (
            OrganizationRow.objects.using("owner")
            .filter(steps_done__contains="schema")
            .exclude(graph_hash=graph_hash())
            .exclude(state=OrganizationRow.State.DELETING)
        )
        schemas = tuple(behind.values_list("schema_name", flat=True))
        with ThreadPoolExecutor(_WORKERS) as pool:
            outcomes = list(pool.map(_migrate_schema, schemas))
        moved = tuple(schema for schema, error in outcomes if error is None)
        failed = tuple((schema, error) for schema, error in outcomes if error is not None)
        for schema in moved:
            say(f"migrated {schema}")
        return Migrated(public, moved, failed)
    finally:
        with owner.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _ensure_roles() -> None:
    with connections["owner"].cursor() as cursor:
        for role in _ROLES:
            cursor.execute("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", [role])
            if not cursor.fetchone():
                cursor.execute(f"CREATE ROLE {role} NOLOGIN")
            # From 16 on, who makes a role without being superuser may hand it out, but not yet switch to it.
            cursor.execute(
                "SELECT pg_catalog.pg_has_role(current_user, %s,"
                " CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END)",
                [role],
            )
            if not cursor.fetchone()[0]:
                cursor.execute(f"GRANT {role} TO current_user")


def _migrate_public(say: Callable[[str], None]) -> bool:
    owner = connections["owner"]
    if set(_applied("public")) >= set(names()["shared"]):
        return False
    say("migrating the public schema")
    owner.set_schema_to_public()  # type: ignore[attr-defined]
    call_command(Migrate(), database="owner", verbosity=0, interactive=False)
    return True


def _grant_public(cursor: object) -> None:
    """Partitions stay closed: only through their parent does row-level security apply. A table that forces it says in
    its own migration who may do what."""
    cursor.execute(  # type: ignore[attr-defined]
        "SELECT c.relname, c.relkind FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'S') AND NOT c.relispartition"
        " AND NOT c.relforcerowsecurity"
    )
    for name, kind in cursor.fetchall():  # type: ignore[attr-defined]
        rights = "USAGE ON SEQUENCE" if kind == "S" else "SELECT, INSERT, UPDATE, DELETE ON TABLE"
        cursor.execute(f'GRANT {rights} public."{name}" TO {", ".join(_ROLES)}')  # type: ignore[attr-defined]
    cursor.execute(f"GRANT USAGE ON SCHEMA public TO {', '.join(_ROLES)}")  # type: ignore[attr-defined]


def _migrate_schema(schema: str) -> tuple[str, str | None]:
    owner = connections["owner"]  # one connection per thread of the pool
    try:
        owner.set_schema(schema)  # type: ignore[attr-defined]
        with owner.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        call_command(Migrate(), database="owner", verbosity=0, interactive=False)
        with owner.cursor() as cursor:
            grant(cursor, schema)
        OrganizationRow.objects.using("owner").filter(schema_name=schema).update(graph_hash=graph_hash())
        return schema, None
    except Exception as error:  # noqa: BLE001 - one schema's failure must not stop the fleet; it is reported by name
        return schema, f"{type(error).__name__}: {error}"
    finally:
        owner.close()


def _applied(schema: str) -> Iterable[str]:
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [f'"{schema}".django_migrations'])
        if cursor.fetchone()[0] is None:
            return []
        cursor.execute(f'SELECT app, name FROM "{schema}".django_migrations')  # noqa: S608 - a schema name of ours
        return [f"{app}.{name}" for app, name in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Drift:
    """How one schema differs from the template: what it lacks and what it has beyond it."""

    schema: str
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]


def verify() -> tuple[Drift, ...]:
    """Compare tables, columns, indexes, constraints and migration rows of every organization with the template."""
    expected = _definition(TEMPLATE_SCHEMA)
    found = []
    ready = OrganizationRow.objects.using("owner").filter(steps_done__contains="schema")
    for schema in ready.values_list("schema_name", flat=True):
        actual = _definition(schema)
        if actual != expected:
            found.append(Drift(schema, tuple(sorted(expected - actual)), tuple(sorted(actual - expected))))
    return tuple(found)


def _definition(schema: str) -> set[str]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            """
            SELECT 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
                   || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
              FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
             WHERE c.relnamespace = to_regnamespace(%(s)s) AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT
             a.attisdropped
            UNION ALL
            SELECT 'index ' || replace(pg_get_indexdef(i.indexrelid), quote_ident(%(s)s) || '.', '')
              FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
             WHERE c.relnamespace = to_regnamespace(%(s)s)
            UNION ALL
            SELECT 'constraint ' || conrelid::regclass::text || ' ' || replace(pg_get_constraintdef(oid),
            quote_ident(%(s)s) || '.', '')
              FROM pg_catalog.pg_constraint WHERE connamespace = to_regnamespace(%(s)s) AND contype <> 'n'
            """,
            {"s": schema},
        )
        definition = {_plainly(line.replace(f"{schema}.", "")) for (line,) in cursor.fetchall()}
    return definition | {f"migration {name}" for name in _applied(schema)}


def _plainly(line: str) -> str:
    """Without the casts and brackets that PostgreSQL adds to a condition when it is read back from a dump."""
    return (
        re.sub(r"::(character varying|[a-z]+)(\[\])?|[()]", "", line)
        if line.startswith(("index", "constraint"))
        else line
    )
