"""Migrations over the fleet: only what is behind, whatever one schema does to the others; and drift is found."""

from __future__ import annotations

from django.db import connections

from tenants import fleet
from tenants.models import OrganizationRow
from tenants.provisioning.graph import graph_hash
from tenants.types import OrgRef


def owner(sql: str) -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute(sql)


def set_behind(*refs: OrgRef) -> None:
    OrganizationRow.objects.filter(pk__in=[ref.id for ref in refs]).update(graph_hash="older")


def drifts() -> dict[str, fleet.Drift]:
    return {drift.schema: drift for drift in fleet.verify()}


def test_migrate__a_second_time__does_nothing(acme: OrgRef, globex: OrgRef) -> None:
    fleet.migrate()
    said: list[str] = []
    assert fleet.migrate(said.append) == fleet.Migrated(public=False, schemas=(), failed=())
    assert said == []


def test_migrate__one_schema_behind__touches_only_that_one(acme: OrgRef, globex: OrgRef) -> None:
    fleet.migrate()
    owner(f'DROP TABLE "{acme.schema}".audit_entry CASCADE')
    owner(f"DELETE FROM \"{acme.schema}\".django_migrations WHERE app = 'gateway_audit'")
    set_behind(acme)
    assert fleet.migrate() == fleet.Migrated(public=False, schemas=(acme.schema,), failed=())
    assert OrganizationRow.objects.get(pk=acme.id).graph_hash == graph_hash()
    assert not {acme.schema, globex.schema} & set(drifts())
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT has_table_privilege('ikiro_app', %s, 'INSERT')", [f'"{acme.schema}".audit_entry'])
        assert cursor.fetchone() == (True,)


def test_migrate__one_broken_schema__is_named_and_the_rest_move(acme: OrgRef, globex: OrgRef) -> None:
    owner(f"DELETE FROM \"{globex.schema}\".django_migrations WHERE app = 'gateway_audit'")
    set_behind(acme, globex)
    outcome = fleet.migrate()
    assert outcome.schemas == (acme.schema,)
    ((schema, error),) = outcome.failed
    assert schema == globex.schema
    assert "audit_entry" in error
    assert "already exists" in error
    hashes = dict(OrganizationRow.objects.filter(pk__in=[acme.id, globex.id]).values_list("pk", "graph_hash"))
    assert hashes == {acme.id: graph_hash(), globex.id: "older"}
    owner(f'DROP TABLE "{globex.schema}".audit_entry CASCADE')
    assert fleet.migrate() == fleet.Migrated(public=False, schemas=(globex.schema,), failed=())


def test_verify__planted_drift__is_reported_by_schema_and_line(acme: OrgRef, globex: OrgRef) -> None:
    assert not {acme.schema, globex.schema} & set(drifts())
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = %s AND tablename = 'audit_entry'"
            " AND indexdef NOT LIKE '%%UNIQUE%%' ORDER BY 1 LIMIT 1",
            [acme.schema],
        )
        name, definition = cursor.fetchone()
    owner(f'DROP INDEX "{acme.schema}"."{name}"')
    owner(f'ALTER TABLE "{globex.schema}".persona ADD COLUMN surprise text')
    found = drifts()
    missing = fleet._plainly("index " + definition.replace(f"{acme.schema}.", ""))
    assert found[acme.schema] == fleet.Drift(acme.schema, (missing,), ())
    assert found[globex.schema] == fleet.Drift(globex.schema, (), ("column persona.surprise text",))
