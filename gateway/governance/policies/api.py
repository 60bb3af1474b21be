"""``/v1/policies/overlays``: the organization's locks and defaults."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.governance.policies import selectors, services
from gateway.governance.policies.schemas import OverlayIn, OverlayOut
from tenants.context import in_tenant

router = Router(tags=["policies"])


@router.get("/policies/overlays/organization", response=OverlayOut, summary="The organization's overlay")
@endpoint(scope=Scope.POLICIES_READ)
async def get_organization_overlay(request: HttpRequest) -> OverlayOut:
    """The organization's overlay; an empty one of version 0 when nobody has written it."""
    return OverlayOut.of(await in_tenant(call_of(request).principal.ref, selectors.overlay))


@router.put("/policies/overlays/organization", response=OverlayOut, summary="Replace the organization's overlay")
@endpoint(scope=Scope.POLICIES_WRITE)
async def put_organization_overlay(request: HttpRequest, body: OverlayIn) -> OverlayOut:
    """Replace the organization's overlay. It holds for the very next request."""
    call = call_of(request)
    overlay = await in_tenant(
        call.principal.ref,
        services.put_overlay,
        locks=body.locks.fields(),
        defaults=body.defaults.fields(),
        precedence=body.precedence,
        expected_version=body.expected_version,
        actor=call.principal.actor,
        request_id=call.request_id,
    )
    return OverlayOut.of(overlay)
