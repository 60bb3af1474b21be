"""Which slices take part in making an organization ready, and in which order."""

from __future__ import annotations

from gateway.knowledge.personas import services as personas
from gateway.platform.flags.catalogue import PROVISIONED
from tenants.models import OrganizationRow
from tenants.provisioning import service
from tenants.types import Organization


def register() -> None:
    """Add every slice's first-row step."""
    service.step("flags", _flags)
    service.step("default_persona", _default_persona)


def _flags(organization: Organization) -> None:
    row = OrganizationRow.objects.get(pk=organization.ref.id)
    row.flags = {**PROVISIONED, **row.flags}
    row.save(update_fields=["flags"])


def _default_persona(organization: Organization) -> None:
    personas.ensure_default(owner_id=organization.ref.public_id)
