"""``/v1/receipts``: signed statements of what was deleted, the keys to check them with, and checking them here."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Router

from gateway.core import ids
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.pagination import check_limit, decode_cursor
from gateway.platform.receipts import selectors
from gateway.platform.receipts.schemas import ReceiptOut, ReceiptPageOut
from gateway.platform.receipts.types import ReceiptKind
from tenants.context import in_public, in_tenant
from tenants.types import Account, Principal

router = Router(tags=["receipts"])


@router.get("/receipts", response=ReceiptPageOut, summary="List receipts, newest first")
@endpoint(scope=Scope.AUDIT_READ)
async def list_receipts(
    request: HttpRequest,
    *,
    kind: ReceiptKind | None = None,
    subject_id: Annotated[str | None, Query(max_length=128)] = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> ReceiptPageOut:
    """A key narrowed to some subjects sees theirs."""
    principal: Principal = call_of(request).principal
    found = await in_tenant(
        principal.ref,
        selectors.list_page,
        limit=check_limit(limit),
        after=decode_cursor(cursor),
        kind=kind,
        subject_id=subject_id,
        only=principal.grant.subject_ids,
    )
    return ReceiptPageOut.of(found)


@router.get("/receipts/{receipt_id}", response=ReceiptOut, summary="One receipt")
@endpoint(scope=Scope.AUDIT_READ)
async def get_receipt(request: HttpRequest, receipt_id: str) -> ReceiptOut:
    """It verifies offline: its signature, over the canonical JSON of `document`, with the key of its `kid` from
    `/.well-known/ikiro-receipts.json`."""
    principal: Principal = call_of(request).principal
    found = await in_tenant(principal.ref, selectors.get, ids.parse("rcp", receipt_id))
    if found.subject_id is not None:
        principal.require_subject(found.subject_id)
    return ReceiptOut.of(found)


@router.get("/account/receipts", response=ReceiptPageOut, summary="Receipts of organizations that one had deleted")
@endpoint(scope=None, account=True)
async def list_account_receipts(
    request: HttpRequest, limit: int | None = None, cursor: str | None = None
) -> ReceiptPageOut:
    """They stay when the organization is gone."""
    account: Account = call_of(request).account
    found = await in_public(
        selectors.of_person, account.person.id, limit=check_limit(limit), after=decode_cursor(cursor)
    )
    return ReceiptPageOut.of(found)
