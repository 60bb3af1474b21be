"""The provisioning state machine: ``provisioning → ready | failed``, one named step after the other, each safe to
repeat.

Slices add their own steps at start-up (``step``); an organization is ready only after the last. A killed run leaves
the steps it finished on the row; ``sweep`` sends the rest again. An advisory lock keeps two workers from one
organization.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import structlog
from django.db import connections, transaction

from gateway.core import clock, ids
from gateway.core.errors import Conflict, NotFound
from gateway.core.journal import OPERATOR, Actor, Change, record
from tenants import selectors
from tenants.celery import public_task
from tenants.context import scope
from tenants.directory import next_version
from tenants.models import OrganizationRow
from tenants.provisioning.graph import graph_hash
from tenants.provisioning.template import ensure_template, replay
from tenants.types import Organization, OrgRef

log = structlog.get_logger(__name__)
Step = Callable[[Organization], None]
_steps: dict[str, Step] = {}
_MAX_ATTEMPTS = 5
_STALLED = timedelta(seconds=15)


def step(name: str, work: Step) -> None:
    """Add a step that runs inside the new organization's scope, after the schema exists. It must be safe to repeat."""
    _steps[name] = work


def steps() -> tuple[str, ...]:
    """The names of all steps, in order."""
    return ("schema", *_steps)


def run(org_id: UUID) -> Organization:
    """Bring one organization as far as it goes; returns it in its new state. The failure's cause stays on the row."""
    lock = connections["owner"]
    with lock.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [f"provision:{org_id}"])
        if not cursor.fetchone()[0]:
            return _get(org_id)
    try:
        return _run(_get(org_id))
    finally:
        with lock.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [f"provision:{org_id}"])


def _run(organization: Organization) -> Organization:
    if organization.state == OrganizationRow.State.READY:
        return organization
    rows = OrganizationRow.objects.filter(pk=organization.ref.id)
    row = rows.get()
    rows.update(attempts=row.attempts + 1, touched_at=clock.now())
    done = list(row.steps_done)
    try:
        if "schema" not in done:
            replay(organization.ref.schema, ensure_template())
            done.append("schema")
            rows.update(steps_done=done, graph_hash=graph_hash(), touched_at=clock.now())
        for name, work in _steps.items():
            if name not in done:
                with scope(organization.ref):
                    work(organization)
                done.append(name)
                rows.update(steps_done=done, touched_at=clock.now())
        return _ready(organization)
    except Exception as error:
        log.exception("provisioning.failed", organization=organization.ref.public_id, attempt=row.attempts + 1)
        final = row.attempts + 1 >= _MAX_ATTEMPTS
        state = OrganizationRow.State.FAILED if final else OrganizationRow.State.PROVISIONING
        rows.update(state=state, failure=f"{type(error).__name__}: {error}"[:2000], touched_at=clock.now())
        return _get(organization.ref.id)


def _ready(organization: Organization) -> Organization:
    with scope(organization.ref), transaction.atomic():
        row = OrganizationRow.objects.select_for_update().get(pk=organization.ref.id)
        row.state, row.failure, row.version = OrganizationRow.State.READY, "", next_version()
        row.save(update_fields=["state", "failure", "version"])
        detail = {"slug": row.slug, "plan": row.plan}
        maker = row.created_by_user_id
        actor = Actor("user", ids.public("usr", maker)) if maker else OPERATOR
        record(Change("organization.created", actor, organization.ref.public_id, detail=detail))
    return selectors.to_organization(row)


def retry(ref: OrgRef) -> None:
    """Give a failed organization another round of attempts. Raises Conflict for one that has not failed."""
    rows = OrganizationRow.objects.filter(pk=ref.id, state=OrganizationRow.State.FAILED)
    if not rows.update(state=OrganizationRow.State.PROVISIONING, attempts=0, failure="", touched_at=clock.now()):
        state = _get(ref.id).state
        raise Conflict(f"The organization is {state}; only a failed one is built again.", code="org_not_failed")
    provision.send(str(ref.id))


def sweep() -> int:
    """Send again what has stood still in ``provisioning``; returns how many. For the scheduler."""
    rows = OrganizationRow.objects.filter(
        state=OrganizationRow.State.PROVISIONING, touched_at__lt=clock.now() - _STALLED
    )
    stalled = [str(pk) for pk in rows.values_list("pk", flat=True)]
    for org_id in stalled:
        provision.send(org_id)
    return len(stalled)


def _get(org_id: UUID) -> Organization:
    organization = selectors.organization(org_id)
    if organization is None:
        raise NotFound("There is no such organization.", code="organization_not_found")
    return organization


@public_task(name="tenants.provision")
def provision(org_id: str) -> None:
    run(UUID(org_id))
