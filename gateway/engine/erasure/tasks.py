"""Celery's way in: the sweep after erasures."""

from __future__ import annotations

from gateway.engine.erasure import sweeping
from tenants.celery import tenant_task
from tenants.types import OrgRef


@tenant_task(name="erasure.sweep")
def sweep(ref: OrgRef) -> None:
    """Erase what came late about subjects that were erased within a day."""
    sweeping.sweep()
