"""Celery's way in: one operation, or an organization's left-overs."""

from __future__ import annotations

from uuid import UUID

from gateway.platform.operations import execution, services
from tenants.celery import tenant_task
from tenants.types import OrgRef


@tenant_task(name="operations.run")
def run(ref: OrgRef, operation_id: str) -> None:
    """Run one operation unless somebody else does. Delivered twice, it runs once."""
    execution.run(UUID(operation_id))


@tenant_task(name="operations.sweep")
def sweep(ref: OrgRef) -> None:
    """Send again what waits or lost its worker."""
    services.sweep()


def send(ref: OrgRef, operation_id: UUID) -> None:
    run.send(ref, str(operation_id))
