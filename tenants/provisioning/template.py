"""The SQL of one organization's schema, recorded from the migrations and replayed in one statement (ADR: provisioning).

Running the migrations costs seconds for each organization; replaying what they executed costs a tenth of one. The
recording is made in a schema of its own, ``template``, which then also serves ``verify_fleet`` as the picture of what
every schema should look like. All names in it are unqualified, so the search path decides where it lands.
"""

from __future__ import annotations

from typing import Any

import psycopg
from django.core.management import call_command
from django.core.management.commands.migrate import Command as Migrate  # django-tenants replaces the name "migrate"
from django.db import connections

from gateway.core import clock
from tenants.models import SchemaTemplate
from tenants.provisioning.graph import graph_hash

TEMPLATE_SCHEMA = "template"
_READS = ("SELECT", "SET ", "SHOW", "SAVEPOINT", "RELEASE")


def ensure_template() -> str:
    """The recorded SQL for the current migration graph, made now if it is missing. Runs as the owner role."""
    known = SchemaTemplate.objects.using("owner").filter(pk=graph_hash()).first()
    if known:
        return known.sql
    sql = _record()
    SchemaTemplate.objects.using("owner").update_or_create(
        pk=graph_hash(), defaults={"sql": sql, "created_at": clock.now()}
    )
    return sql


def _record() -> str:
    connection = connections["owner"]
    statements: list[str] = []

    def recorder(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if not sql.lstrip().upper().startswith(_READS):
            mogrify = psycopg.ClientCursor(connection.connection).mogrify
            statements.extend(mogrify(sql, row) if row else sql for row in (params if many else [params]))
        return result

    with connection.cursor() as cursor:
        cursor.execute(f'DROP SCHEMA IF EXISTS "{TEMPLATE_SCHEMA}" CASCADE')
        cursor.execute(f'CREATE SCHEMA "{TEMPLATE_SCHEMA}"')
    connection.set_schema(TEMPLATE_SCHEMA)  # type: ignore[attr-defined]
    try:
        with connection.execute_wrapper(recorder):
            call_command(Migrate(), database="owner", verbosity=0, interactive=False)
    finally:
        connection.set_schema_to_public()  # type: ignore[attr-defined]
    return ";\n".join(statement.rstrip().rstrip(";") for statement in statements) + ";"


def replay(schema: str, sql: str) -> None:
    """Create ``schema`` with everything in it, or nothing at all. Does nothing when it is there already."""
    connection = connections["owner"]
    connection.ensure_connection()
    raw = connection.connection
    with raw.transaction(), raw.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = %s", [schema])
        if cursor.fetchone():
            return
        cursor.execute(f'CREATE SCHEMA "{schema}"')
        cursor.execute(f'SET LOCAL search_path = "{schema}", public')
        cursor.execute(sql)
        grant(cursor, schema)


def grant(cursor: Any, schema: str) -> None:
    """Give the request and batch roles the rows of a schema, never its definition."""
    for role in ("ikiro_app", "ikiro_batch"):
        cursor.execute(f'GRANT USAGE ON SCHEMA "{schema}" TO {role}')
        cursor.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "{schema}" TO {role}')
        cursor.execute(f'GRANT USAGE ON ALL SEQUENCES IN SCHEMA "{schema}" TO {role}')
