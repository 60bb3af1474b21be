"""From a name to a ready organization: whatever dies or fails on the way, it goes on where it stopped, once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.commands.migrate import Command as Migrate
from django.db import connection, connections

from gateway.core import ids
from gateway.core.errors import BadRequest, Conflict
from gateway.core.journal import Actor
from gateway.knowledge.personas import selectors as personas
from gateway.platform.audit import selectors as audit
from gateway.platform.audit.types import AuditFilter
from tenants import fleet, selectors, services
from tenants.context import scope
from tenants.models import OrganizationRow
from tenants.provisioning import service
from tenants.provisioning.template import TEMPLATE_SCHEMA
from tenants.types import Organization
from tests.factories.organizations import remove
from tests.harness import ROOT, eventually

STEPS = ["schema", "flags", "default_persona"]
# Dies like a killed worker, at once and without a word, in the place that is given.
_KILLED = """
import os, sys, uuid
import django
django.setup()
from tenants.provisioning import service, template
place, org_id = sys.argv[1:]
def die(*args):
    os._exit(9)
if place == "in schema":
    template.grant = die
else:
    steps = list(service._steps.items())
    at = ["schema", *service._steps].index(place)
    service._steps.clear()
    service._steps.update([*steps[:at], ("die", die), *steps[at:]])
service.run(uuid.UUID(org_id))
"""


@pytest.fixture
def registered(quiet: None) -> Iterator[Organization]:
    """An organization that is registered and not built."""
    organization = services.organization_create(slug=f"new-{ids.base32(ids.uuid7())[-16:]}", name="New", plan="pro")
    yield organization
    remove(organization.ref)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have gone to a worker."""
    found: list[str] = []
    monkeypatch.setattr(service.provision, "send", found.append)
    return found


def row(organization: Organization) -> OrganizationRow:
    return OrganizationRow.objects.get(pk=organization.ref.id)


def count(schema: str, table: str) -> int:
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [f'"{schema}".{table}'])
        if cursor.fetchone()[0] is None:
            return -1
        cursor.execute(f'SELECT count(*) FROM "{schema}".{table}')
        return cursor.fetchone()[0]


def created(organization: Organization) -> int:
    with scope(organization.ref):
        page = audit.list_page(AuditFilter(action="organization.created"), limit=10, after=None)
    return len(page.data)


@pytest.mark.parametrize(
    ("place", "done"),
    [("in schema", []), ("schema", STEPS[:1]), ("flags", STEPS[:2]), ("default_persona", STEPS)],
)
def test_run__killed_after_each_step__goes_on_from_there(registered: Organization, place: str, done: list[str]) -> None:
    killed = subprocess.run([sys.executable, "-c", _KILLED, place, str(registered.ref.id)], cwd=ROOT, timeout=60)
    assert killed.returncode == 9
    left = row(registered)
    assert (left.state, left.steps_done, left.attempts) == ("provisioning", done, 1)
    assert count(registered.ref.schema, "audit_entry") == (0 if done else -1) or "default_persona" in done
    # The dead one's lock is held until the database has seen that it is dead; whoever comes before leaves again.
    finished = eventually(lambda: one if (one := service.run(registered.ref.id)).state == "ready" else None)
    assert finished.failure == ""
    assert row(registered).steps_done == STEPS
    assert count(registered.ref.schema, "persona") == 1
    assert created(registered) == 1
    assert selectors.organization(registered.ref.id).flags["enable_gateway_api"] is True
    version = row(registered).version
    assert service.run(registered.ref.id) == finished
    assert (row(registered).version, created(registered)) == (version, 1)


def test_step__that_fails__is_tried_again_then_failed_with_its_cause_and_retried(
    registered: Organization, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {"on": True, "ran": 0}

    def boom(organization: Organization) -> None:
        broken["ran"] += 1
        if broken["on"]:
            raise LookupError("the widget is missing")

    monkeypatch.setattr(service, "_steps", {**service._steps, "boom": boom})
    for attempt in range(1, 5):
        assert service.run(registered.ref.id).state == "provisioning"
        assert (row(registered).attempts, row(registered).failure) == (attempt, "LookupError: the widget is missing")
    with pytest.raises(Conflict) as early:
        service.retry(registered.ref)
    assert early.value.code == "org_not_failed"
    failed = service.run(registered.ref.id)
    assert (failed.state, failed.failure) == ("failed", "LookupError: the widget is missing")
    assert created(registered) == 0
    with pytest.raises(Conflict) as unready:
        services.plan_set(registered.ref, "business", actor=Actor("operator", "test"))
    assert unready.value.code == "org_not_ready"
    OrganizationRow.objects.filter(pk=registered.ref.id).update(touched_at="2020-01-01T00:00Z")
    service.sweep()
    assert str(registered.ref.id) not in sent
    broken["on"] = False
    service.retry(registered.ref)
    assert sent == [str(registered.ref.id)]
    assert (row(registered).state, row(registered).attempts) == ("provisioning", 0)
    assert service.run(registered.ref.id).state == "ready"
    assert broken["ran"] == 6
    assert row(registered).steps_done == [*STEPS, "boom"]
    assert (count(registered.ref.schema, "persona"), created(registered)) == (1, 1)


def test_retry__of_one_whose_name_once_made_its_persona_impossible__builds_the_rest(
    registered: Organization, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    OrganizationRow.objects.filter(pk=registered.ref.id).update(name="Ann ann@acme.example 1-415-555-2671")

    def as_it_was(organization: Organization) -> None:
        raise LookupError(f"owner {organization.name}")

    steps = dict(service._steps)
    monkeypatch.setattr(service, "_steps", {**steps, "default_persona": as_it_was})
    for _ in range(5):
        left = service.run(registered.ref.id)
    assert (left.state, row(registered).steps_done) == ("failed", STEPS[:2])
    monkeypatch.setattr(service, "_steps", steps)
    service.retry(registered.ref)
    assert service.run(registered.ref.id).state == "ready"
    with scope(registered.ref):
        owner = personas.load("brand-default").cartridge.owner
    assert (owner.type, owner.owner_id) == ("org", registered.ref.public_id)


def test_sweep__sends_again_only_what_has_stood_still(registered: Organization, sent: list[str]) -> None:
    service.sweep()
    assert str(registered.ref.id) not in sent
    OrganizationRow.objects.filter(pk=registered.ref.id).update(touched_at="2020-01-01T00:00Z")
    service.sweep()
    assert sent.count(str(registered.ref.id)) == 1


def test_run__two_at_once__one_builds_and_the_other_steps_back(
    registered: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def slow(organization: Organization) -> None:
        ran.append(organization.slug)
        time.sleep(0.5)

    monkeypatch.setattr(service, "_steps", {**service._steps, "slow": slow})
    states: list[str] = []

    def build() -> None:
        states.append(service.run(registered.ref.id).state)
        connections.close_all()

    threads = [threading.Thread(target=build) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(states) == ["provisioning", "provisioning", "ready"]
    assert ran == [registered.slug]
    assert (row(registered).attempts, created(registered)) == (1, 1)


def test_replay__against_the_migrations_themselves__makes_the_same_schema(registered: Organization) -> None:
    service.run(registered.ref.id)
    owner, real = connections["owner"], f"{registered.ref.schema}_real"
    with owner.cursor() as cursor:
        cursor.execute(f'CREATE SCHEMA "{real}"')
    try:
        owner.set_schema(real)
        call_command(Migrate(), database="owner", verbosity=0, interactive=False)
        owner.set_schema_to_public()
        migrated = fleet._definition(real)
        assert fleet._definition(registered.ref.schema) == migrated
        assert fleet._definition(TEMPLATE_SCHEMA) == migrated
        assert len(migrated) > 100
    finally:
        owner.set_schema_to_public()
        with owner.cursor() as cursor:
            cursor.execute(f'DROP SCHEMA "{real}" CASCADE')


def test_new_schema__for_the_request_role__has_rows_and_no_definition(registered: Organization) -> None:
    service.run(registered.ref.id)
    with scope(registered.ref), connection.cursor() as cursor:
        cursor.execute("SELECT current_user, count(*) FROM persona GROUP BY 1")
        assert cursor.fetchall() == [("ikiro_app", 1)]
        cursor.execute(
            "SELECT has_schema_privilege(%s, 'USAGE'), has_schema_privilege(%s, 'CREATE')", [registered.ref.schema] * 2
        )
        assert cursor.fetchall() == [(True, False)]


@pytest.mark.parametrize(
    "slug",
    [
        *("", "a", "x" * 41, "Acme", "1acme", "-acme", "acme-", "ac--me", "ac_me", "ac.me", "a b", "ąb", "acme\n"),
        *("t_x", "a\0b", "acme'--", '"'),
    ],
)  # fmt: skip
def test_name__that_is_none__is_refused_and_nothing_is_written(quiet: None, slug: str) -> None:
    refuse(slug, BadRequest, "invalid_slug")


@pytest.mark.parametrize("slug", sorted(services.RESERVED))
def test_name__reserved__is_refused_and_nothing_is_written(quiet: None, slug: str) -> None:
    refuse(slug, BadRequest, "slug_reserved")


def test_name__taken__is_refused_and_nothing_is_written(registered: Organization) -> None:
    refuse(registered.slug, Conflict, "slug_taken")


def refuse(slug: str, kind: type[Any], code: str) -> None:
    before = OrganizationRow.objects.count()
    with pytest.raises(kind) as refused:
        services.organization_create(slug=slug, name="Name")
    assert refused.value.code == code
    assert OrganizationRow.objects.count() == before
