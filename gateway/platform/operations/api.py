"""``GET /operations``, ``GET /operations/{id}`` and ``POST /operations/{id}/cancel``."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Router

from gateway.core import ids
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.pagination import check_limit, decode_cursor
from gateway.platform.operations import selectors, services
from gateway.platform.operations.schemas import OperationOut, OperationPageOut
from gateway.platform.operations.types import State
from tenants.context import in_tenant

router = Router(tags=["operations"])


@router.get("/operations", response=OperationPageOut, summary="List operations, newest first")
@endpoint(scope=Scope.OPERATIONS)
async def list_operations(
    request: HttpRequest,
    *,
    state: State | None = None,
    kind: Annotated[str | None, Query(max_length=64)] = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> OperationPageOut:
    principal = call_of(request).principal
    found = await in_tenant(
        principal.ref,
        selectors.list_page,
        limit=check_limit(limit),
        after=decode_cursor(cursor),
        state=state,
        kind=kind,
        principal=principal,
    )
    return OperationPageOut.of(found)


@router.get("/operations/{operation_id}", response=OperationOut, summary="One operation and its progress")
@endpoint(scope=Scope.OPERATIONS)
async def get_operation(request: HttpRequest, operation_id: str) -> OperationOut:
    principal = call_of(request).principal
    found = await in_tenant(principal.ref, selectors.get, ids.parse("op", operation_id), principal=principal)
    return OperationOut.of(found)


@router.post("/operations/{operation_id}/cancel", response=OperationOut, summary="Cancel an operation")
@endpoint(scope=Scope.OPERATIONS)
async def cancel_operation(request: HttpRequest, operation_id: str) -> OperationOut:
    call = call_of(request)
    found = await in_tenant(
        call.principal.ref,
        services.cancel,
        ids.parse("op", operation_id),
        actor=call.principal.actor,
        request_id=call.request_id,
        principal=call.principal,
    )
    return OperationOut.of(found)
