"""Importing an export: a small file at once, a large one by a worker; its result stays with the organization."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core import ids
from gateway.core.errors import BadRequest, GatewayError
from gateway.core.journal import Actor, Change, record
from gateway.core.pagination import Page, page
from gateway.platform.billing.errors import UnknownReconciliation, UnreadableExport
from gateway.platform.billing.models import ReconciliationRow
from gateway.platform.billing.reconciliation.comparing import Account, add_up, canonical, compare, compare_calls
from gateway.platform.billing.reconciliation.exports import recognise
from gateway.platform.billing.types import Reconciliation
from gateway.platform.ledger import usage
from gateway.platform.ledger.exporting import costs_of_calls
from gateway.platform.ledger.usage import UsageQuery
from gateway.platform.operations import services as operations
from gateway.platform.operations.registry import OperationRun, runner
from gateway.platform.operations.types import Operation
from tenants.context import current

KIND = "billing.reconciliation"
# What is compared within the request; more goes to a worker.
INLINE_BYTES = 1024 * 1024
_MOST_DAYS = 400
_ALL = 100_000
_WITHOUT_FILE = (
    "id", "created_at", "created_by", "state", "provider", "export", "first", "last", "rows", "result", "error",
)  # fmt: skip


def import_export(
    data: bytes, *, provider: str | None, actor: Actor, request_id: UUID
) -> tuple[Reconciliation, Operation | None]:
    """Compare a provider's export with the ledger of the organization in scope. A file above ``INLINE_BYTES`` comes
    back ``queued`` with its operation.

    ``provider`` is the ledger's name of the provider; an export that says whose it is needs none. Raises
    UnreadableExport, and BadRequest ``provider_missing``.
    """
    export, _ = recognise(data)
    named = provider or export.provider
    if named is None:
        raise BadRequest("This export does not say whose it is; name the provider.", code="provider_missing")
    with transaction.atomic():
        row = ReconciliationRow(provider=named, export=export.name, created_by=str(actor), state="queued", source=data)
        operation = None
        if len(data) > INLINE_BYTES:
            row.save()
            operation = operations.start(
                KIND, actor=actor, total=1, payload={"reconciliation": str(row.id)}, request_id=request_id
            )
        else:
            _compare(row)
        detail = {"provider": named, "export": export.name}
        record(Change("reconciliation.created", actor, _public(row.id), request_id=request_id, detail=detail))
    return _shown(row), operation


@runner(KIND)
def run(operation: OperationRun) -> dict[str, Any]:
    """A worker's part; done again after a crash, it comes to the same."""
    row = ReconciliationRow.objects.get(pk=UUID(operation.payload["reconciliation"]))
    if row.state != "done":
        try:
            _compare(row)
        except GatewayError as error:
            row.state, row.error, row.source = "failed", error.detail[:500], None
            row.save()
            raise
    operation.advance(1)
    return {"reconciliation_id": _public(row.id)}


def get(reconciliation_id: UUID) -> Reconciliation:
    """One of the organization in scope, with its result. Raises UnknownReconciliation."""
    row = ReconciliationRow.objects.filter(pk=reconciliation_id).only(*_WITHOUT_FILE).first()
    if row is None:
        raise UnknownReconciliation("There is no such reconciliation.")
    return _shown(row)


def list_page(*, limit: int, after: UUID | None) -> Page[Reconciliation]:
    """Newest first."""
    rows = ReconciliationRow.objects.only(*_WITHOUT_FILE).order_by("-id")
    if after is not None:
        rows = rows.filter(id__lt=after)
    return page([_shown(row) for row in rows[: limit + 1]], limit)


def _compare(row: ReconciliationRow) -> None:
    """Read the file, compare, keep the result and let go of the file."""
    _, lines = recognise(bytes(row.source or b""))
    billed = add_up(lines)
    if billed.first is None or billed.last is None:
        raise UnreadableExport("The file has a header and no lines.")
    if (billed.last - billed.first).days >= _MOST_DAYS:
        raise UnreadableExport(f"The file covers more than {_MOST_DAYS} days.")
    org_id = current().id
    result = compare(_computed(org_id, row.provider, billed.first, billed.last), billed)
    if billed.by_request:
        calls = costs_of_calls(org_id, row.provider, billed.first, billed.last)
        result["calls"] = compare_calls(calls, billed)
    row.first, row.last, row.rows = billed.first, billed.last, billed.rows
    row.state, row.result, row.source = "done", result, None
    row.save()


def _computed(org_id: UUID, provider: str, first: date, last: date) -> dict[tuple[date, str], Account]:
    """The ledger's side, by day and canonical model."""
    start, end = (datetime.combine(day, time(), UTC) for day in (first, last + timedelta(days=1)))
    query = UsageQuery(start, end, ("day", "model"), {"provider": provider})
    groups, _ = usage.groups(org_id, query, limit=_ALL)
    found: defaultdict[tuple[date, str], Account] = defaultdict(lambda: Account(0, 0, 0, 0))
    for group in groups:
        account = found[group.key["day"], canonical(group.key["model"] or "")]
        account.cost_micros = (account.cost_micros or 0) + group.sums.provider_cost_micros
        account.prompt_tokens = (account.prompt_tokens or 0) + group.sums.prompt_tokens
        account.completion_tokens = (account.completion_tokens or 0) + group.sums.completion_tokens
        account.requests = (account.requests or 0) + group.sums.entries
    return dict(found)


def _public(reconciliation_id: UUID) -> str:
    return ids.public("rcn", reconciliation_id)


def _shown(row: ReconciliationRow) -> Reconciliation:
    return Reconciliation(**{name: getattr(row, name) for name in _WITHOUT_FILE})
