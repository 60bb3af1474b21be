"""Reads of receipts: of the organization in scope, of a person, and the keys that anybody may have."""

from __future__ import annotations

import json
from uuid import UUID

from gateway.core.pagination import Page, page
from gateway.platform.receipts.errors import ReceiptNotFound
from gateway.platform.receipts.models import ReceiptKeyRow, ReceiptRow
from gateway.platform.receipts.types import PublicKey, Receipt, ReceiptKind
from tenants.context import current


def get(receipt_id: UUID) -> Receipt:
    """One receipt of the organization in scope. Raises ReceiptNotFound."""
    row = ReceiptRow.objects.filter(pk=receipt_id, org_id=current().id).first()
    if row is None:
        raise ReceiptNotFound("There is no such receipt.")
    return to_receipt(row)


def of_source(kind: ReceiptKind, org_id: UUID, source: UUID) -> Receipt | None:
    """The receipt that was issued for this, if it was."""
    row = ReceiptRow.objects.filter(org_id=org_id, kind=kind, source=source).first()
    return to_receipt(row) if row is not None else None


def list_page(
    *,
    limit: int,
    after: UUID | None = None,
    kind: str | None = None,
    subject_id: str | None = None,
    only: tuple[str, ...] | None = None,
) -> Page[Receipt]:
    """Receipts of the organization in scope, newest first; ``only`` narrows to the subjects a scoped key may see."""
    rows = ReceiptRow.objects.filter(org_id=current().id).order_by("-id")
    for field, value in (("kind", kind), ("subject_id", subject_id), ("subject_id__in", only), ("id__lt", after)):
        if value is not None:
            rows = rows.filter(**{field: value})
    return page([to_receipt(row) for row in rows[: limit + 1]], limit)


def of_person(user_id: UUID, *, limit: int, after: UUID | None = None) -> Page[Receipt]:
    """Receipts of organizations that this person had deleted, newest first. Runs in the public scope."""
    rows = ReceiptRow.objects.filter(user_id=user_id, kind=ReceiptKind.ORGANIZATION_DELETED).order_by("-id")
    if after is not None:
        rows = rows.filter(id__lt=after)
    return page([to_receipt(row) for row in rows[: limit + 1]], limit)


def public_keys() -> tuple[PublicKey, ...]:
    """Every key that signed a receipt of this installation, the oldest first."""
    rows = ReceiptKeyRow.objects.order_by("created_at", "kid")
    return tuple(PublicKey(row.kid, bytes(row.public_key), row.created_at) for row in rows)


def public_key(kid: str) -> PublicKey | None:
    """One of them."""
    row = ReceiptKeyRow.objects.filter(kid=kid).first()
    return PublicKey(row.kid, bytes(row.public_key), row.created_at) if row is not None else None


def to_receipt(row: ReceiptRow) -> Receipt:
    """A row as others see it."""
    return Receipt(
        row.id, row.kind, row.subject_id, row.issued_at, json.loads(row.document), row.kid, bytes(row.signature)
    )
