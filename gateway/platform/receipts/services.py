"""Issuing receipts, and telling a genuine one from any other."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core import clock, ids
from gateway.core.plain import plain
from gateway.platform.receipts import selectors, signing
from gateway.platform.receipts.canonical import canonical
from gateway.platform.receipts.models import ReceiptKeyRow, ReceiptRow
from gateway.platform.receipts.types import Receipt, ReceiptKind
from tenants.types import OrgRef

VERSION = 1


def issue(
    kind: ReceiptKind,
    facts: dict[str, Any],
    *,
    organization: OrgRef,
    source: UUID,
    subject_id: str | None = None,
    user_id: UUID | None = None,
) -> Receipt:
    """State and sign what was done; once per ``source``, however often it is called. Runs inside the transaction of
    what it tells of. ``facts`` are plain values without floats. Raises ValueError for others."""
    with transaction.atomic():
        found = selectors.of_source(kind, organization.id, source)
        if found is not None:
            return found
        receipt_id, now = ids.uuid7(), clock.now()
        kid, public_key = signing.active_key()
        document = {
            "version": VERSION,
            "id": ids.public("rcp", receipt_id),
            "kind": kind.value,
            "organization_id": organization.public_id,
            "subject_id": subject_id,
            "issued_at": now.isoformat(timespec="microseconds"),
            "kid": kid,
            "facts": plain(facts),
        }
        text = canonical(document)
        ReceiptKeyRow.objects.bulk_create([ReceiptKeyRow(kid=kid, public_key=public_key)], ignore_conflicts=True)
        row = ReceiptRow.objects.create(
            id=receipt_id,
            org_id=organization.id,
            kind=kind,
            subject_id=subject_id,
            user_id=user_id,
            source=source,
            issued_at=now,
            document=text.decode(),
            kid=kid,
            signature=signing.sign(text),
        )
        return selectors.to_receipt(row)


def verify(document: dict[str, Any], signature: str) -> tuple[bool, str | None]:
    """(whether a key of this installation signed this document, its ``kid``; None when no key of ours is named)."""
    kid = document.get("kid")
    key = selectors.public_key(kid) if isinstance(kid, str) else None
    if key is None:
        return False, None
    try:
        message, given = canonical(document), signing.decoded(signature)
    except (ValueError, UnicodeEncodeError, RecursionError):
        return False, key.kid
    return signing.is_genuine(message, given, key.raw), key.kid
