"""Celery's way in: an organization's retention."""

from __future__ import annotations

from gateway.engine.conversations import services
from tenants import selectors
from tenants.celery import tenant_task
from tenants.types import OrgRef


@tenant_task(name="conversations.retain")
def retain(ref: OrgRef) -> None:
    """Delete what the organization's settings no longer keep; what one run cannot do, the next one does at once."""
    organization = selectors.organization(ref.id)
    if organization is not None and services.retain(days=organization.settings.conversation_retention_days):
        retain.send(ref)
