"""Organizations of a test's own: real rows, real schemas, really committed, and gone afterwards.

For tests about what happens between transactions (locks, kills, sealing), which a rolled-back test never shows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connections

from gateway.core import clock, ids
from ikiro.scheduler.loop import _LEADER
from tenants import services
from tenants.models import OrganizationRow
from tenants.provisioning.graph import graph_hash
from tenants.provisioning.template import ensure_template, replay
from tenants.types import ApiKey, Organization, OrgRef, Principal


@pytest.fixture(scope="session")
def committed_database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The test database with real commits. Whoever uses it cleans up after itself."""
    with django_db_blocker.unblock():
        yield
        connections.close_all()


@pytest.fixture(scope="module")
def quiet(committed_database: None) -> Iterator[None]:
    """No scheduler acts meanwhile: a running one is made the stand-by, and leads again afterwards."""
    with psycopg.connect(**raw_parameters(), autocommit=True) as leader:
        while not leader.execute("SELECT pg_try_advisory_lock(%s)", [_LEADER]).fetchone()[0]:
            leader.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s",
                [_LEADER],
            )
            time.sleep(1)  # the round that it is in comes to its end
        yield


def raw_parameters() -> dict[str, Any]:
    """How to open a connection of the owner's that Django knows nothing of."""
    given = connections["owner"].get_connection_params()
    return {name: given[name] for name in ("dbname", "user", "password", "host", "port") if given.get(name)}


@pytest.fixture
def acme(quiet: None) -> Iterator[OrgRef]:
    organization = new_organization("acme")
    yield organization
    remove(organization)


@pytest.fixture
def globex(quiet: None) -> Iterator[OrgRef]:
    organization = new_organization("globex")
    yield organization
    remove(organization)


def new_organization(name: str) -> OrgRef:
    """An organization with an empty schema, ready, without the slices' first rows."""
    slug = f"{name}-{ids.base32(ids.uuid7())[-16:]}"
    ref = services.organization_create(slug=slug, name=name.title(), plan="business").ref
    replay(ref.schema, ensure_template())
    values = {"state": "ready", "steps_done": ["schema"], "graph_hash": graph_hash()}
    OrganizationRow.objects.using("owner").filter(pk=ref.id).update(**values)
    return ref


def remove(ref: OrgRef) -> None:
    """Drop everything of an organization, whatever a test left open."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(f'DROP SCHEMA IF EXISTS "{ref.schema}" CASCADE')
        cursor.execute("DELETE FROM public.outbox_marker WHERE org_id = %s", [ref.id])
    OrganizationRow.objects.using("owner").filter(pk=ref.id).delete()


def principal(
    ref: OrgRef, *, persona_ids: tuple[str, ...] | None = None, subject_ids: tuple[str, ...] | None = None
) -> Principal:
    """A caller through a key that may be narrowed to personas and subjects."""
    organization = Organization(
        ref=ref, slug="acme", name="Acme", plan="business", state="ready", suspended_at=None, flags={}, limits={},
        version=1, created_at=clock.now(),
    )  # fmt: skip
    key = ApiKey(
        id=ids.uuid7(), org_id=ref.id, public="k" * 16, name="test", mode="test", persona_ids=persona_ids,
        subject_ids=subject_ids, memory_scopes=None, scopes=None, expires_at=None, revoked_at=None, rotated_at=None,
        previous_valid_until=None, last_used_at=None, created_at=clock.now(), created_by="operator:cli", version=1,
        secret_sha256=b"",
    )  # fmt: skip
    return Principal(organization, key)
