"""Celery's way in: an organization's retention."""

from __future__ import annotations

from gateway.platform.requests import bounds, services
from tenants import selectors
from tenants.celery import tenant_task
from tenants.types import OrgRef


@tenant_task(name="requests.retain")
def retain(ref: OrgRef) -> None:
    """Delete what the organization's settings and policy no longer keep; what one run cannot do, the next one does at
    once."""
    organization = selectors.organization(ref.id)
    if organization is None:
        return
    chosen = organization.settings
    body_days = chosen.body_retention_days if chosen.store_bodies else None
    record_days = chosen.request_retention_days
    if services.retain(record_days=record_days, body_days=body_days, bounds=bounds.now()):
        retain.send(ref)
