"""`/v1/reconciliations`: a provider's own account of what it billed, beside the ledger's."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, JsonResponse
from ninja import Query, Router
from pydantic import ValidationError

from gateway.core import ids
from gateway.core.endpoint import Body, Scope, call_of, endpoint
from gateway.core.errors import BadRequest
from gateway.core.pagination import check_limit, decode_cursor
from gateway.platform.billing import reconciliation
from gateway.platform.billing.types import Reconciliation
from gateway.platform.operations.types import accepted
from gateway.surfaces import invalid
from gateway.surfaces.parsing import decoded, refuse_nul
from gateway.surfaces.v1.billing import whole_organization
from gateway.surfaces.v1.schemas.billing import (
    ReconciliationDetailOut,
    ReconciliationIn,
    ReconciliationOut,
    ReconciliationPageOut,
)
from gateway.surfaces.v1.schemas.inline import inlined
from tenants.context import in_tenant

router = Router(tags=["billing"])


@router.post(
    "/reconciliations",
    response={201: ReconciliationDetailOut, 202: dict[str, Any]},
    summary="Compare a provider's CSV export with the ledger",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": inlined(ReconciliationIn)},
                "text/csv": {"schema": {"type": "string"}},
            },
        }
    },
    by_alias=True,
)
@endpoint(scope=Scope.PROVIDERS_WRITE, body=Body.BATCH)
async def create_reconciliation(
    request: HttpRequest,
    *,
    provider: Annotated[
        str | None, Query(max_length=64, description="Whose export this is, where it does not say so itself.")
    ] = None,
) -> JsonResponse:
    """The body is the file itself (`text/csv`), or has it in `csv`: OpenAI's usage, costs or activity export,
    Anthropic's usage or cost export, or a plain one with `date`, `model` and any of `cost_usd`, `cost_micros`,
    `input_tokens`, `output_tokens`, `requests`, `request_id`. Up to 1 MB is compared at once (201), more by a worker
    (202 with its operation)."""
    call = call_of(request)
    principal = whole_organization(call.principal)
    data = request.body
    if request.content_type == "application/json":
        given = _given(data)
        data, provider = given.csv.encode(), given.provider or provider
    if not data.strip():
        raise BadRequest("The provider's CSV file is empty.", code="unreadable_export")
    made, operation = await in_tenant(
        principal.ref,
        reconciliation.import_export,
        data,
        provider=provider,
        actor=principal.actor,
        request_id=call.request_id,
    )
    if operation is not None:
        return JsonResponse({**accepted(operation), "reconciliation_id": made.public_id}, status=202)
    return JsonResponse(_detail(made), status=201)


@router.get(
    "/reconciliations", response=ReconciliationPageOut, summary="List reconciliations, newest first", by_alias=True
)
@endpoint(scope=Scope.USAGE_READ)
async def list_reconciliations(
    request: HttpRequest, limit: int | None = None, cursor: str | None = None
) -> JsonResponse:
    principal = whole_organization(call_of(request).principal)
    page = await in_tenant(
        principal.ref, reconciliation.list_page, limit=check_limit(limit), after=decode_cursor(cursor)
    )
    return JsonResponse(
        {"data": [ReconciliationOut.fields_of(one) for one in page.data], "next_cursor": page.next_cursor}
    )


@router.get(
    "/reconciliations/{reconciliation_id}",
    response=ReconciliationDetailOut,
    summary="One reconciliation, with what it found",
    by_alias=True,
)
@endpoint(scope=Scope.USAGE_READ)
async def get_reconciliation(request: HttpRequest, reconciliation_id: str) -> JsonResponse:
    principal = whole_organization(call_of(request).principal)
    found = await in_tenant(principal.ref, reconciliation.get, ids.parse("rcn", reconciliation_id))
    return JsonResponse(_detail(found))


def _given(body: bytes) -> ReconciliationIn:
    value = decoded(body)
    refuse_nul(value)
    try:
        return ReconciliationIn.model_validate(value)
    except ValidationError as error:
        raise invalid.of_body(error.errors(), value, detail="The body is not a reconciliation: see errors.") from None


def _detail(found: Reconciliation) -> dict[str, Any]:
    result = found.result or {}
    return ReconciliationOut.fields_of(found) | {"groups": result.get("groups", []), "calls": result.get("calls")}
