"""Celery's way in: an organization's nightly tidying."""

from __future__ import annotations

from gateway.knowledge.memory import tidying
from tenants.celery import tenant_task
from tenants.types import OrgRef


@tenant_task(name="memory.tidy")
def tidy(ref: OrgRef) -> None:
    """Once a night; asked again the same night it does nothing, unless something was left over."""
    tidying.run()
