"""Receipts on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Schema

from gateway.core.pagination import Page
from gateway.platform.receipts import signing
from gateway.platform.receipts.types import Receipt


class ReceiptOut(Schema):
    """``signature`` is Ed25519, base64url, over the canonical JSON (RFC 8785) of ``document``, by the key whose ``kid``
    the document names."""

    id: str
    kind: str
    subject_id: str | None
    issued_at: datetime
    document: dict[str, Any]
    signature: str

    @classmethod
    def of(cls, receipt: Receipt) -> ReceiptOut:
        return cls(
            id=receipt.public_id,
            kind=receipt.kind,
            subject_id=receipt.subject_id,
            issued_at=receipt.issued_at,
            document=receipt.document,
            signature=signing.encoded(receipt.signature),
        )


class ReceiptPageOut(Schema):
    data: list[ReceiptOut]
    next_cursor: str | None

    @classmethod
    def of(cls, found: Page[Receipt]) -> ReceiptPageOut:
        return cls(data=[ReceiptOut.of(one) for one in found.data], next_cursor=found.next_cursor)
