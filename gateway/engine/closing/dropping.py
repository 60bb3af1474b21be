"""Deleting organizations whose notice is over: lock everybody out, drop the schema, then the directory's rows and the
receipt in one transaction. Whoever dies in between leaves the rest to the next round."""

from __future__ import annotations

import structlog
from django.db import InterfaceError, OperationalError, transaction

from gateway.platform.receipts import services as receipts
from gateway.platform.receipts.types import Receipt, ReceiptKind
from tenants.context import public_scope, scope
from tenants.provisioning import removal
from tenants.types import OrgRef

log = structlog.get_logger(__name__)
KEPT: tuple[tuple[str, str], ...] = (
    ("ledger", "what each request cost: kept for as long as money must be shown, then dropped by day"),
    ("receipts", "this one and those of subjects that were erased before"),
    ("people", "their own accounts: each may delete theirs"),
    ("counters", "how much was used lately, until their windows end"),
    ("backups", "those made before, until the operator replaces them"),
)


def sweep() -> int:
    """Delete every organization that is due; how many. One organization's trouble is logged and leaves the others
    alone. Runs in the public scope."""
    gone = 0
    for ref in removal.due():
        try:
            gone += drop(ref) is not None
        except (OperationalError, InterfaceError) as error:
            log.warning("closing.postponed", organization=ref.public_id, error=str(error))
        except Exception:
            log.exception("closing.failed", organization=ref.public_id)
    return gone


def drop(ref: OrgRef) -> Receipt | None:
    """Delete one organization; None when somebody else is at it, or its owner took the request back."""
    with removal.alone(ref) as mine:
        if not mine:
            return None
        with public_scope():
            found = removal.begin(ref)
            if found is None:
                return None
            removal.drop_schema(ref)
        return _finish(ref, found)


def _finish(ref: OrgRef, found: dict[str, object]) -> Receipt:
    with scope(ref), transaction.atomic():
        user_id = removal.requested_by(ref)
        facts = {
            **found,
            "schema_dropped": True,
            "directory_rows": removal.remove_rows(ref),
            "kept": [{"what": what, "why": why} for what, why in KEPT],
        }
        receipt = receipts.issue(
            ReceiptKind.ORGANIZATION_DELETED, facts, organization=ref, source=ref.id, user_id=user_id
        )
    log.info("closing.deleted", organization=ref.public_id, receipt=receipt.public_id)
    return receipt
