"""``/v1/organization/settings``: what an organization keeps, for how long, and how it wants doubt to be settled."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.surfaces.v1.schemas.settings import OrganizationSettingsIn, OrganizationSettingsOut
from tenants import services
from tenants.context import in_tenant
from tenants.types import Organization, Principal

router = Router(tags=["organizations"])


@router.get("/organization/settings", response=OrganizationSettingsOut, summary="The organization's choices")
@endpoint(scope=None)
async def get_settings(request: HttpRequest) -> OrganizationSettingsOut:
    principal: Principal = call_of(request).principal
    return _shown(principal.organization)


@router.patch("/organization/settings", response=OrganizationSettingsOut, summary="Change the organization's choices")
@endpoint(scope=Scope.ORGANIZATION_WRITE)
async def change_settings(request: HttpRequest, body: OrganizationSettingsIn) -> OrganizationSettingsOut:
    """Every worker follows within a second. Without `store_bodies` no body is kept from then on, and those that were
    are deleted within the hour; shorter times delete what is older at the next hour."""
    call = call_of(request)
    principal: Principal = call.principal
    changed = await in_tenant(
        principal.ref,
        services.settings_change,
        principal.ref,
        actor=principal.actor,
        request_id=call.request_id,
        **body.model_dump(exclude_unset=True),
    )
    return _shown(changed)


def _shown(organization: Organization) -> OrganizationSettingsOut:
    chosen = organization.settings
    return OrganizationSettingsOut(
        store_bodies=chosen.store_bodies,
        body_retention_days=chosen.body_retention_days,
        request_retention_days=chosen.request_retention_days,
        conversation_retention_days=chosen.conversation_retention_days,
        memory_hard_cap=chosen.memory_hard_cap,
        on_disconnect=chosen.on_disconnect,
    )
