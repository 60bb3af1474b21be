"""Celery's way in: one decided proposal, or an organization's left-overs."""

from __future__ import annotations

from uuid import UUID

from gateway.governance.proposals import carrying, services
from tenants.celery import tenant_task
from tenants.types import OrgRef


@tenant_task(name="proposals.execute")
def execute(ref: OrgRef, proposal_id: str) -> None:
    """Carry out one approved proposal, or take one back. Delivered twice, it happens once."""
    carrying.run(ref, UUID(proposal_id))


@tenant_task(name="proposals.sweep")
def sweep(ref: OrgRef) -> None:
    """Carry out what is due and was left behind; expire what nobody decided."""
    services.sweep()


def send(ref: OrgRef, proposal_id: UUID, delay_s: float) -> None:
    execute.send(ref, str(proposal_id), delay_s=delay_s)
