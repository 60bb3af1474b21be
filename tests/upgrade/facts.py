"""What is true of an installation's data whatever version looks at it: sums, chains and the migrations applied."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg
from psycopg import sql

Connection = psycopg.Connection[Any]


def ledger(connection: Connection, *, until: str) -> dict[str, list[int]]:
    """Per organization: entries, calls, provider cost, markup and charge of everything that occurred by ``until``."""
    rows = connection.execute(
        "SELECT o.slug, count(*), sum(e.calls), sum(e.provider_cost_micros), sum(e.markup_micros),"
        " sum(e.charged_micros) FROM public.ledger_entry e JOIN public.tenants_organization o ON o.id = e.org_id"
        " WHERE e.occurred_at <= %s GROUP BY o.slug",
        [until],
    )
    return {str(slug): [int(number) for number in numbers] for slug, *numbers in rows.fetchall()}


def roll_up(connection: Connection, *, day: str) -> dict[str, list[int]]:
    """Per organization: what the ledger's daily sums say of all days up to ``day``."""
    rows = connection.execute(
        "SELECT o.slug, sum(d.entries), sum(d.calls), sum(d.charged_micros) FROM public.ledger_daily d"
        " JOIN public.tenants_organization o ON o.id = d.org_id WHERE d.day <= %s GROUP BY o.slug",
        [day],
    )
    return {str(slug): [int(number) for number in numbers] for slug, *numbers in rows.fetchall()}


def hourly(connection: Connection, *, until: str) -> dict[str, list[int]]:
    """The same as ``ledger`` from the hourly roll-up: calls, provider cost, markup and charge."""
    rows = connection.execute(
        "SELECT o.slug, sum(h.calls), sum(h.provider_cost_micros), sum(h.markup_micros), sum(h.charged_micros)"
        " FROM public.ledger_hourly h JOIN public.tenants_organization o ON o.id = h.org_id"
        " WHERE h.hour <= %s GROUP BY o.slug",
        [until],
    )
    return {str(slug): [int(number) for number in numbers] for slug, *numbers in rows.fetchall()}


def chains(connection: Connection, *, most: dict[str, int] | None = None) -> dict[str, list[object]]:
    """Per organization: number and hash of the last sealed audit entry, or of the one that ``most`` names."""
    found: dict[str, list[object]] = {}
    for slug, schema in schemas(connection).items():
        last = (most or {}).get(slug, 2**62)
        row = connection.execute(
            sql.SQL(
                "SELECT seq, encode(chain_hash, 'hex') FROM {}.audit_entry WHERE seq <= %s ORDER BY seq DESC LIMIT 1"
            ).format(sql.Identifier(schema)),
            [last],
        ).fetchone()
        assert row is not None
        found[slug] = list(row)
    return found


def migrations(connection: Connection) -> dict[str, list[str]]:
    """The migrations applied to the public schema and to each organization's."""
    named = {"public": "public", **schemas(connection)}
    query: LiteralString = "SELECT app || '.' || name FROM {}.django_migrations ORDER BY 1"
    return {
        name: [str(row[0]) for row in connection.execute(sql.SQL(query).format(sql.Identifier(schema))).fetchall()]
        for name, schema in named.items()
    }


def schemas(connection: Connection) -> dict[str, str]:
    """Slug → schema of every organization."""
    rows = connection.execute("SELECT slug, schema_name FROM public.tenants_organization ORDER BY slug").fetchall()
    return {str(slug): str(schema) for slug, schema in rows}
