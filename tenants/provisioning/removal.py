"""Removing an organization whose time has come: its schema table by table, then its rows of the public directory.

Three steps, each safe to repeat, so that a process that dies in between costs nothing: ``begin`` (nobody comes in any
more, and what is there is counted), ``drop_schema``, ``remove_rows``. What must outlive the organization is not
touched: the ledger, and receipts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import connection, connections, transaction

from gateway.core import clock, ids
from tenants.epoch import next_version
from tenants.models import OrganizationRow
from tenants.types import OrgRef

# Each table takes a handful of locks; a server has a few thousand for everybody.
_TABLES_AT_ONCE = 10
_LOCK_TIMEOUT = "5s"
# Public tables by organization that stay: the ledger in all its tables, and receipts.
_KEPT = ("ledger_", "receipt")


def due() -> tuple[OrgRef, ...]:
    """Organizations whose notice is over, and those that a former run did not finish."""
    rows = OrganizationRow.objects.filter(
        closes_at__lte=clock.now(), state__in=(OrganizationRow.State.READY, OrganizationRow.State.DELETING)
    )
    return tuple(OrgRef(pk, schema) for pk, schema in rows.order_by("closes_at").values_list("id", "schema_name"))


@contextmanager
def alone(ref: OrgRef) -> Iterator[bool]:
    """Whether this process, and no other, works on the organization's end within the block."""
    owner = connections["owner"]
    name = f"remove:{ref.id}"
    with owner.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            with owner.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])


def begin(ref: OrgRef) -> dict[str, Any] | None:
    """Lock everybody out for good and say what is there; None when the owner took the request back meanwhile. Later
    runs say what the first one found."""
    with transaction.atomic():
        row = OrganizationRow.objects.select_for_update().filter(pk=ref.id).first()
        if row is None or row.closes_at is None or row.closes_at > clock.now():
            return None
        if row.state != OrganizationRow.State.DELETING:
            row.state, row.version = OrganizationRow.State.DELETING, next_version()
            row.save(update_fields=["state", "version"])
    if row.closing_facts is None:
        row.closing_facts = {
            "slug": row.slug,
            "name": row.name,
            "requested_by": ids.public("usr", row.closing_by) if row.closing_by else None,
            "requested_at": row.closing_at.isoformat() if row.closing_at else None,
            "rows": _counted(ref.schema),
        }
        row.save(update_fields=["closing_facts"])
    facts: dict[str, Any] = row.closing_facts
    return facts


def requested_by(ref: OrgRef) -> UUID | None:
    """The person who asked for it."""
    found: UUID | None = OrganizationRow.objects.filter(pk=ref.id).values_list("closing_by", flat=True).first()
    return found


def drop_schema(ref: OrgRef) -> int:
    """Drop the organization's tables, a few at a time, and its schema; how many tables were there."""
    owner = connections["owner"]
    owner.ensure_connection()
    dropped = 0
    with owner.cursor() as cursor:
        cursor.execute("SET lock_timeout = %s", [_LOCK_TIMEOUT])  # somebody may still read; the next round tries again
        while tables := _tables(cursor, ref.schema)[:_TABLES_AT_ONCE]:
            names = ", ".join(f'"{ref.schema}"."{table}"' for table in tables)
            cursor.execute(f"DROP TABLE IF EXISTS {names} CASCADE")
            dropped += len(tables)
        cursor.execute(f'DROP SCHEMA IF EXISTS "{ref.schema}" CASCADE')
        cursor.execute("RESET lock_timeout")
    return dropped


def remove_rows(ref: OrgRef) -> dict[str, int]:
    """Delete the organization's rows of the public tables, in the caller's transaction and scope; how many of each."""
    removed: dict[str, int] = {}
    # First what refers to nobody; the rest goes with the organization's own row.
    with connection.cursor() as cursor:
        for table, column in _loose_tables(cursor):
            cursor.execute(f'DELETE FROM public."{table}" WHERE "{column}" = %s', [ref.id])  # noqa: S608
            removed[table] = cursor.rowcount
    _, by_model = OrganizationRow.objects.filter(pk=ref.id).delete()
    removed.update({name.rpartition(".")[2].lower(): count for name, count in by_model.items()})
    return {name: count for name, count in sorted(removed.items()) if count}


def _counted(schema: str) -> dict[str, int]:
    """The rows of every table of the organization."""
    counts = {}
    with connections["owner"].cursor() as cursor:
        for table in _tables(cursor, schema):
            cursor.execute(f'SELECT count(*) FROM "{schema}"."{table}"')  # noqa: S608 - names from the catalogue
            counts[table] = cursor.fetchone()[0]
    return {table: count for table, count in counts.items() if count and table != "django_migrations"}


def _tables(cursor: Any, schema: str) -> list[str]:
    cursor.execute(
        "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1",
        [schema],
    )
    return [name for (name,) in cursor.fetchall()]


def _loose_tables(cursor: Any) -> list[tuple[str, str]]:
    """Public tables that name an organization without a foreign key to it, and the column that does."""
    cursor.execute(
        "SELECT c.relname, a.attname FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'"
        " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped"
        " AND a.attname IN ('org_id', 'organization_id') AND a.atttypid = 'uuid'::regtype"
        " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND NOT EXISTS ("
        "  SELECT 1 FROM pg_catalog.pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f'"
        "  AND f.confrelid = 'public.tenants_organization'::regclass) ORDER BY 1"
    )
    return [(table, column) for table, column in cursor.fetchall() if not table.startswith(_KEPT)]
