"""Celery's way in: an organization's claims whose day is over."""

from __future__ import annotations

from gateway.platform.idempotency import services
from tenants.celery import tenant_task
from tenants.types import OrgRef


@tenant_task(name="idempotency.purge")
def purge(ref: OrgRef) -> None:
    """Delete what nobody can replay any more."""
    services.purge()
