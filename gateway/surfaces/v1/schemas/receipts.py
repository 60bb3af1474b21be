"""What anybody may ask about receipts, on the wire."""

from __future__ import annotations

from typing import Any

from ninja import Field, Schema
from pydantic import ConfigDict

from gateway.core.wire import Moment
from gateway.platform.receipts import signing
from gateway.platform.receipts.types import PublicKey


class ReceiptVerifyIn(Schema):
    """A receipt as it was given out: its document, unchanged, and its signature. What else ``GET /v1/receipts/{id}``
    shows of it may be sent along; only the document is signed, and only it is looked at."""

    model_config = ConfigDict(extra="forbid")

    document: dict[str, Any]
    signature: str = Field(min_length=1, max_length=128)
    id: str | None = None
    kind: str | None = None
    subject_id: str | None = None
    issued_at: Moment | None = None


class ReceiptVerifiedOut(Schema):
    """``kid`` is null when the document names no key of this installation."""

    valid: bool
    kid: str | None


class ReceiptKeyOut(Schema):
    """One public key as a JWK (RFC 8037)."""

    kty: str
    crv: str
    alg: str
    use: str
    kid: str
    x: str

    @classmethod
    def of(cls, key: PublicKey) -> ReceiptKeyOut:
        return cls(kty="OKP", crv="Ed25519", alg="EdDSA", use="sig", kid=key.kid, x=signing.encoded(key.raw))


class ReceiptKeysOut(Schema):
    """Every key that ever signed a receipt here, the oldest first."""

    keys: list[ReceiptKeyOut]
