"""One organization's rows of the public tables, out of one installation and into another.

The tables are discovered, not listed: every public table with a column ``org_id`` or ``organization_id``, the
organization's own row, and the people who are its members. Needs psycopg.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from ikiro.stack.archive import Organization
from ikiro.stack.errors import BackupRefused

ORGANIZATION, PERSON, MEMBERSHIP = "tenants_organization", "tenants_user", "tenants_membership"
# Workers load what is above the version they have seen, so rows that come back take new ones from this sequence.
VERSIONS = "tenants_directory_version"
Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Table:
    """A public table in an archive. ``columns`` leaves out generated and identity ones: the target makes its own.

    ``partitions`` maps the names of the partitions at hand to their bounds.
    """

    name: str
    columns: list[str]
    partitions: dict[str, str]


def find_organization(connection: Connection, slug: str) -> Organization:
    """The organization with this slug; raises BackupRefused when there is none."""
    query = sql.SQL("SELECT id::text, slug, schema_name FROM {} WHERE slug = %s").format(_public(ORGANIZATION))
    row = connection.execute(query, [slug]).fetchone()
    if row is None:
        raise BackupRefused(f"There is no organization {slug!r}.")
    return Organization(id=row[0], slug=row[1], schema=row[2])


def export_rows(connection: Connection, organization: Organization, *, folder: Path) -> int:
    """Write one file per table and ``tables.json`` into ``folder``; the number of tables."""
    members = sql.SQL("SELECT user_id FROM {} WHERE organization_id = {}").format(_public(MEMBERSHIP), organization.id)
    wanted = [(ORGANIZATION, sql.SQL("id = {}").format(organization.id))]
    wanted.append((PERSON, sql.SQL("id IN ({})").format(members)))
    wanted += [
        (name, sql.SQL("{} = {}").format(sql.Identifier(column), organization.id))
        for name, column in _tables_by_organization(connection)
    ]
    tables = []
    for name, condition in wanted:
        table = Table(name, _columns(connection, name), _partitions(connection, name))
        query = sql.SQL("COPY (SELECT {} FROM {} WHERE {}) TO STDOUT").format(
            _list(table.columns), _public(name), condition
        )
        with (folder / f"{name}.copy").open("wb") as file, connection.cursor().copy(query) as copy:
            for chunk in copy:
                file.write(chunk)
        tables.append(table)
    (folder / "tables.json").write_text(json.dumps([asdict(table) for table in tables]), encoding="utf-8")
    return len(tables)


def import_rows(connection: Connection, organization: Organization, *, folder: Path) -> dict[str, int]:
    """Bring the rows back inside the caller's transaction; rows per table.

    People are matched by e-mail address: one who is known here keeps the account that is here.
    """
    tables = [Table(**fields) for fields in json.loads((folder / "tables.json").read_text(encoding="utf-8"))]
    counts: dict[str, int] = {}
    for table in tables:
        _stage(connection, table, source=folder / f"{table.name}.copy")
    if any(table.name == PERSON for table in tables):
        for holder, column in _columns_of_people(tables):
            connection.execute(
                sql.SQL(
                    "UPDATE {table} AS found SET {column} = here.id FROM {people} AS person "
                    "JOIN {known} AS here USING (email) WHERE found.{column} = person.id"
                ).format(
                    table=_staged(holder),
                    column=sql.Identifier(column),
                    people=_staged(PERSON),
                    known=_public(PERSON),
                )
            )
    for table in tables:
        for name, bound in table.partitions.items():
            connection.execute(
                sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF {} {}").format(
                    _public(name),
                    _public(table.name),
                    sql.SQL(bound),
                )
            )
        conflict = "ON CONFLICT (email) DO NOTHING" if table.name == PERSON else ""
        columns = _list(table.columns)
        query = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} ").format(
            _public(table.name), columns, columns, _staged(table.name)
        )
        counts[table.name] = connection.execute(query + sql.SQL(conflict)).rowcount
    _renew_versions(connection, organization, tables=tables)
    return counts


def _tables_by_organization(connection: Connection) -> list[tuple[str, str]]:
    """Names and organization columns, referenced tables before the ones that refer to them."""
    rows = connection.execute(
        "SELECT t.relname, a.attname, t.oid, ARRAY(SELECT f.confrelid FROM pg_constraint f "
        "WHERE f.conrelid = t.oid AND f.contype = 'f' AND f.confrelid <> t.oid) "
        "FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid AND NOT a.attisdropped "
        "WHERE t.relnamespace = 'public'::regnamespace AND t.relkind IN ('r', 'p') AND NOT t.relispartition "
        "AND a.attname IN ('org_id', 'organization_id') AND a.atttypid = 'uuid'::regtype ORDER BY 1, 2"
    ).fetchall()
    found: list[tuple[str, str]] = []
    waiting = {oid: (name, column, set(refers)) for name, column, oid, refers in rows}
    while waiting:
        ready = [oid for oid, (_, _, refers) in waiting.items() if not refers & waiting.keys()]
        if not ready:
            raise BackupRefused("The public tables refer to each other in a circle.")
        for oid in ready:
            name, column, _ = waiting.pop(oid)
            found.append((name, column))
    return found


def _columns(connection: Connection, name: str) -> list[str]:
    rows = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s "
        "AND is_generated = 'NEVER' AND is_identity = 'NO' AND coalesce(column_default, '') NOT LIKE 'nextval(%%' "
        "ORDER BY ordinal_position",
        [name],
    )
    return [row[0] for row in rows]


def _partitions(connection: Connection, name: str) -> dict[str, str]:
    rows = connection.execute(
        "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = to_regclass(%s) AND c.relispartition ORDER BY 1",
        [f"public.{name}"],
    )
    return dict(rows.fetchall())


def _stage(connection: Connection, table: Table, *, source: Path) -> None:
    """Load a file into a temporary table of the target's own column types; raises BackupRefused for unknown columns."""
    unknown = set(table.columns) - set(_columns(connection, table.name))
    if unknown:
        raise BackupRefused(
            f"The table {table.name} here has no {', '.join(sorted(unknown))}: the archive comes from another release. "
            "Update this installation, start it once (make up), and restore again."
        )
    columns = _list(table.columns)
    connection.execute(
        sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(
            _staged_name(table.name), columns, _public(table.name)
        )
    )
    query = sql.SQL("COPY {} ({}) FROM STDIN").format(_staged(table.name), columns)
    with source.open("rb") as file, connection.cursor().copy(query) as copy:
        while chunk := file.read(256 * 1024):
            copy.write(chunk)


def _renew_versions(connection: Connection, organization: Organization, *, tables: list[Table]) -> None:
    if connection.execute("SELECT to_regclass(%s)", [f"public.{VERSIONS}"]).fetchone() == (None,):
        return
    for table in tables:
        if "version" in table.columns:
            connection.execute(
                sql.SQL("UPDATE {} SET version = nextval(%s) WHERE {}").format(_public(table.name), _of_it(table)),
                [f"public.{VERSIONS}", organization.id],
            )


def _of_it(table: Table) -> sql.Composed:
    """The condition for a table's rows of the organization, with one parameter: its id."""
    if table.name == PERSON:
        return sql.SQL("id IN (SELECT user_id FROM {} WHERE organization_id = %s)").format(_public(MEMBERSHIP))
    column = "id" if table.name == ORGANIZATION else _organization_column(table)
    return sql.SQL("{} = %s").format(sql.Identifier(column))


def _columns_of_people(tables: list[Table]) -> list[tuple[str, str]]:
    """Where tables name a person: ``user_id``, ``owner_user_id``, …"""
    return [(table.name, column) for table in tables for column in table.columns if column.endswith("user_id")]


def _organization_column(table: Table) -> str:
    return "org_id" if "org_id" in table.columns else "organization_id"


def _public(name: str) -> sql.Identifier:
    return sql.Identifier("public", name)


def _staged_name(name: str) -> sql.Identifier:
    return sql.Identifier(f"staged_{name}"[:63])


def _staged(name: str) -> sql.Identifier:
    return sql.Identifier("pg_temp", f"staged_{name}"[:63])


def _list(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name) for name in names)
