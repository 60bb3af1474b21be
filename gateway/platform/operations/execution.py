"""Running one operation under a lease, so that it is never run by two workers and never forgotten by all.

Taking the lease, every ``advance`` and the end are short transactions of their own; each but the first holds only
while the lease is still ours. A worker that dies leaves a lease that runs out; the sweep then queues the operation
again, and the next run starts from the stored progress.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, transaction

from gateway.core import clock, ids
from gateway.core.errors import GatewayError
from gateway.core.plain import plain
from gateway.platform.operations import registry
from gateway.platform.operations.errors import Cancelled, LeaseLost
from gateway.platform.operations.models import OperationRow
from gateway.platform.operations.services import finish
from gateway.platform.operations.types import State

log = structlog.get_logger(__name__)


class Run:
    """One worker's hold on one operation; what runners know as ``OperationRun``."""

    def __init__(self, row: OperationRow, lease_id: UUID) -> None:
        self.id: UUID = row.id
        self.kind: str = row.kind
        self.payload: dict[str, Any] = row.payload
        self.done: int = row.progress_done
        self.total: int | None = row.progress_total
        self.checkpoint: dict[str, Any] | None = row.checkpoint
        self._lease_id = lease_id

    def advance(self, done: int, *, total: int | None = None, checkpoint: dict[str, Any] | None = None) -> None:
        """See ``registry.OperationRun.advance``."""
        self.done = done
        self.total = self.total if total is None else total
        self.checkpoint = self.checkpoint if checkpoint is None else plain(checkpoint)
        with transaction.atomic():
            row = self.locked()
            row.progress_done, row.progress_total, row.checkpoint = self.done, self.total, self.checkpoint
            row.heartbeat_at = clock.now()
            row.save(update_fields=["progress_done", "progress_total", "checkpoint", "heartbeat_at"])
        if row.state == State.CANCELLING:
            raise Cancelled(f"{self.kind} was cancelled.")

    def locked(self) -> OperationRow:
        """The row, locked; raises LeaseLost when it is no longer ours."""
        row = OperationRow.objects.select_for_update().get(pk=self.id)
        if row.lease_id != self._lease_id:
            raise LeaseLost(f"Another worker has taken over {self.kind}.")
        return row

    def end(self, state: State, *, result: dict[str, Any] | None = None, error: dict[str, Any] | None = None) -> None:
        """Store how it ended. A cancellation that came too late to stop a success leaves it a success."""
        with transaction.atomic():
            finish(self.locked(), state, result=result, error=error)


def run(operation_id: UUID) -> None:
    """Run one operation if nobody else does. Never raises for what a runner does; a lost database is raised and
    retried by the sweep.
    """
    held = _take(operation_id)
    if held is None:
        return
    work = registry.find(held.kind)
    try:
        if work is None:
            held.end(State.FAILED, error={"code": "runner_missing", "detail": f"Nothing here runs {held.kind!r}."})
            return
        result = work(held)
        held.end(State.SUCCEEDED, result=plain(result) if result is not None else None)
    except LeaseLost:
        log.warning("operation.lease_lost", kind=held.kind, operation=ids.public("op", held.id))
    except Cancelled:
        _end(held, State.CANCELLED)
    except (OperationalError, InterfaceError):
        raise
    except GatewayError as error:
        _end(held, State.FAILED, {"code": error.code, "detail": error.detail})
    except Exception:
        log.exception("operation.failed", kind=held.kind, operation=ids.public("op", held.id))
        _end(held, State.FAILED, {"code": "internal_error", "detail": "The operation failed for a reason of ours."})


def _end(held: Run, state: State, error: dict[str, Any] | None = None) -> None:
    try:
        held.end(state, error=error)
    except LeaseLost:
        log.warning("operation.lease_lost", kind=held.kind, operation=ids.public("op", held.id))


def _take(operation_id: UUID) -> Run | None:
    """Take the lease of a waiting operation; None when it is running, finished or gone."""
    waiting = OperationRow.objects.select_for_update(skip_locked=True).filter(pk=operation_id, state=State.QUEUED)
    with transaction.atomic():
        row = waiting.first()
        if row is None:
            return None
        lease_id = ids.uuid7()
        row.state, row.lease_id, row.heartbeat_at, row.attempts = State.RUNNING, lease_id, clock.now(), row.attempts + 1
        row.save(update_fields=["state", "lease_id", "heartbeat_at", "attempts"])
        return Run(row, lease_id)
