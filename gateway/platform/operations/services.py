"""Starting, cancelling and picking up operations. Running them is ``execution``'s."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from gateway.core import clock, ids
from gateway.core.journal import SYSTEM, Actor, Change, Event, record
from gateway.core.plain import plain
from gateway.platform.operations.dispatch import dispatch
from gateway.platform.operations.errors import OperationFinished, UnknownOperation
from gateway.platform.operations.models import OperationRow
from gateway.platform.operations.selectors import hidden_from, to_operation
from gateway.platform.operations.types import Operation, State
from gateway.platform.outbox.services import mark, unmark
from gateway.platform.outbox.types import Kind
from tenants.types import Principal

LEASE = timedelta(seconds=60)
MAX_ATTEMPTS = 5
_SWEEP = 100


def start(
    kind: str,
    *,
    actor: Actor,
    total: int | None = None,
    payload: dict[str, Any] | None = None,
    request_id: UUID | None = None,
) -> Operation:
    """Queue an operation; a worker begins when the transaction commits. ``payload`` is JSON, for the runner's eyes."""
    with transaction.atomic():
        row = OperationRow.objects.create(
            kind=kind,
            state=State.QUEUED,
            progress_total=total,
            payload=plain(payload or {}),
            created_by=str(actor),
            request_id=request_id,
            heartbeat_at=clock.now(),
        )
        mark(Kind.OPERATION, [row.id])
        record(Change("operation.started", actor, _public(row), request_id=request_id, detail={"kind": kind}))
        dispatch(row.id)
    return to_operation(row)


def cancel(
    operation_id: UUID, *, actor: Actor, request_id: UUID | None = None, principal: Principal | None = None
) -> Operation:
    """Stop an operation: at once when it waits, between two steps when it runs (it is ``cancelling`` until then).

    Cancelling twice is the same as once. Raises UnknownOperation, and OperationFinished when it has succeeded or
    failed.
    """
    with transaction.atomic():
        row = OperationRow.objects.select_for_update().filter(pk=operation_id).first()
        if row is None or hidden_from(principal, row):
            raise UnknownOperation("There is no such operation.")
        if row.state in {State.CANCELLING, State.CANCELLED}:
            return to_operation(row)
        if State(row.state).finished:
            raise OperationFinished(f"The operation has {row.state} already.", extra={"state": row.state})
        record(Change("operation.cancelled", actor, _public(row), request_id=request_id, detail={"kind": row.kind}))
        if row.state == State.QUEUED:
            finish(row, State.CANCELLED)
        else:
            row.state = State.CANCELLING
            row.save(update_fields=["state"])
    return to_operation(row)


def finish(
    row: OperationRow, state: State, *, result: dict[str, Any] | None = None, error: dict[str, Any] | None = None
) -> None:
    """End a locked row for good, inside the caller's transaction."""
    row.state, row.result, row.error = state, result, error
    row.finished_at, row.lease_id = clock.now(), None
    row.payload = {}  # it may hold content, which must not outlive its use here
    row.save(update_fields=["state", "result", "error", "finished_at", "lease_id", "payload"])
    unmark(Kind.OPERATION, [row.id])
    payload = {"operation_id": _public(row), "kind": row.kind, "state": state.value}
    detail = {"kind": row.kind, "state": state, "code": error["code"] if error else None}
    record(
        Change("operation.finished", SYSTEM, _public(row), request_id=row.request_id, detail=detail),
        Event("operation.finished", payload),
    )


def sweep(*, lease: timedelta = LEASE) -> int:
    """Put back what lost its worker and send again what has waited for a lease; returns how many it touched. For the
    scheduler.

    A waiting operation is sent at most once per lease, so a long queue does not fill up with copies. What was being
    cancelled is cancelled now; what has lost ``MAX_ATTEMPTS`` workers is failed with ``worker_lost``.
    """
    silent = Q(state__in=[State.QUEUED, State.RUNNING, State.CANCELLING], heartbeat_at__lt=clock.now() - lease)
    with transaction.atomic():
        rows = list(OperationRow.objects.select_for_update(skip_locked=True).filter(silent).order_by("id")[:_SWEEP])
        for row in rows:
            if row.state == State.CANCELLING:
                finish(row, State.CANCELLED)
            elif row.attempts >= MAX_ATTEMPTS:
                lost = f"{row.attempts} workers were lost while running this operation."
                finish(row, State.FAILED, error={"code": "worker_lost", "detail": lost})
            else:
                row.state, row.lease_id, row.heartbeat_at = State.QUEUED, None, clock.now()
                row.save(update_fields=["state", "lease_id", "heartbeat_at"])
                dispatch(row.id)
    return len(rows)


def _public(row: OperationRow) -> str:
    return ids.public("op", row.id)
