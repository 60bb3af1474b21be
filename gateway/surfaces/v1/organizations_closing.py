"""The end of an organization: take everything along, ask for its deletion, take that back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Router
from ninja import Status as Answer

from gateway.core import ids
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.engine.closing import selectors, services
from gateway.platform.admission import gate
from gateway.platform.admission.types import RateLimit
from gateway.platform.operations.types import Operation, accepted
from gateway.surfaces.v1.schemas.closing import ClosingIn, ClosingOut, OrganizationExportIn
from tenants.context import in_tenant
from tenants.people import closing
from tenants.types import OrgRef, Principal

router = Router(tags=["organizations"])
# Each attempt may be a guess at the password.
_ATTEMPTS = RateLimit(5, 300)
_FILE = {
    200: {
        "description": "The file.",
        "content": {"application/gzip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.delete("/organization", response={202: ClosingOut}, summary="Ask for the organization's deletion")
@endpoint(scope=Scope.ORGANIZATION_WRITE)
async def close_organization(request: HttpRequest, body: ClosingIn) -> Answer[Any]:
    """For owners, with the password or a sign-in of the last five minutes. Keys and tokens are refused at once
    (`organization_closing`); a week later everything is deleted and a signed receipt is left
    (`GET /v1/account/receipts`). Until then an owner can take it back, and `POST /v1/organization/export` still works.
    The ledger is kept."""
    call = call_of(request)
    principal: Principal = call.principal
    await gate.admit_stranger(call, "organization", f"close:{principal.user_id}", _ATTEMPTS)
    found = await in_tenant(
        principal.ref,
        closing.request,
        principal,
        confirm=body.confirm,
        password=body.password,
        request_id=call.request_id,
    )
    return Answer(202, ClosingOut.of(found))


@router.get("/organization/deletion", response=ClosingOut, summary="Whether the organization is to be deleted")
@endpoint(scope=None)
async def get_deletion(request: HttpRequest) -> ClosingOut:
    principal: Principal = call_of(request).principal
    return ClosingOut.of(await in_tenant(principal.ref, closing.of, principal.ref.id))


@router.post("/organization/cancel-deletion", response=ClosingOut, summary="Take the request for deletion back")
@endpoint(scope=Scope.ORGANIZATION_WRITE)
async def cancel_deletion(request: HttpRequest) -> ClosingOut:
    """Keys work again within a second."""
    call = call_of(request)
    principal: Principal = call.principal
    return ClosingOut.of(await in_tenant(principal.ref, closing.cancel, principal, request_id=call.request_id))


@router.post("/organization/export", response={202: dict[str, Any]}, summary="Write all that is here into a file")
@endpoint(scope=Scope.ORGANIZATION_WRITE)
async def export_organization(request: HttpRequest, body: OrganizationExportIn) -> Answer[Any]:
    """For owners, with the password or a sign-in of the last five minutes. A worker writes it; fetch it from
    `GET /v1/organization/exports/{operation_id}` within seven days. Every row as a line of JSON, stored texts opened;
    no secrets."""
    call = call_of(request)
    principal: Principal = call.principal
    await gate.admit_stranger(call, "organization", f"export:{principal.user_id}", _ATTEMPTS)
    return Answer(202, accepted(await in_tenant(principal.ref, _export, principal, body.password, call.request_id)))


@router.get("/organization/exports/{operation_id}", summary="Fetch an export", openapi_extra={"responses": _FILE})
@endpoint(scope=Scope.ORGANIZATION_WRITE)
async def fetch_export(request: HttpRequest, operation_id: str) -> StreamingHttpResponse:
    """A gzip file, one JSON object per line. 409 while it is written, 410 after seven days; audited."""
    call = call_of(request)
    principal: Principal = call.principal
    wanted = ids.parse("op", operation_id)
    count = await in_tenant(principal.ref, selectors.pieces, wanted, principal=principal)
    call.read("organization.exported", operation_id)
    response = StreamingHttpResponse(_pieces(principal.ref, wanted, count), content_type="application/gzip")
    response["Cache-Control"] = "no-store"
    name = f"{principal.organization.slug}.ndjson.gz"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _export(principal: Principal, password: str | None, request_id: UUID) -> Operation:
    closing.prove(principal, password)
    return services.start_export(actor=principal.actor, request_id=request_id)


async def _pieces(ref: OrgRef, operation_id: UUID, count: int) -> AsyncIterator[bytes]:
    for number in range(count):
        yield await in_tenant(ref, selectors.piece, operation_id, number)
