"""What anybody may ask about receipts: the keys, and whether one is genuine."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from gateway.core.endpoint import call_of, endpoint
from gateway.platform.admission import gate
from gateway.platform.admission.types import RateLimit
from gateway.platform.receipts import selectors, services
from gateway.surfaces.v1.schemas.receipts import ReceiptKeyOut, ReceiptKeysOut, ReceiptVerifiedOut, ReceiptVerifyIn
from tenants.accounts.address import client_address
from tenants.context import in_public

router = Router(tags=["receipts"])
_LOOKS, _CHECKS = RateLimit(120, 60), RateLimit(60, 60)


@router.get("/receipts/keys", response=ReceiptKeysOut, summary="The public keys that sign receipts")
@endpoint(scope=None, public=True)
async def list_keys_receipts(request: HttpRequest) -> ReceiptKeysOut:
    """A JWK set; also at `/.well-known/ikiro-receipts.json`. Keys of former days stay in it."""
    await gate.admit_stranger(call_of(request), "address", f"receipt-keys|{client_address(request)}", _LOOKS)
    return ReceiptKeysOut(keys=[ReceiptKeyOut.of(key) for key in await in_public(selectors.public_keys)])


@router.post("/receipts/verify", response=ReceiptVerifiedOut, summary="Whether a receipt is genuine")
@endpoint(scope=None, public=True)
async def verify_receipt(request: HttpRequest, body: ReceiptVerifyIn) -> ReceiptVerifiedOut:
    """Checks the signature alone, as anybody can offline. Nothing of the receipt is looked up."""
    await gate.admit_stranger(call_of(request), "address", f"receipt-verify|{client_address(request)}", _CHECKS)
    valid, kid = await in_public(services.verify, body.document, body.signature)
    return ReceiptVerifiedOut(valid=valid, kid=kid)
