"""Celery's way in: old exports."""

from __future__ import annotations

from gateway.engine.closing import services
from tenants.celery import tenant_task
from tenants.types import OrgRef


@tenant_task(name="closing.forget_exports")
def forget_exports(ref: OrgRef) -> None:
    """Delete the organization's exports whose time is over."""
    services.forget_exports()
