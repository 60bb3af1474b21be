"""Reads of the operations of the organization in scope."""

from __future__ import annotations

from uuid import UUID

from gateway.core.pagination import Page, page
from gateway.platform.operations.errors import UnknownOperation
from gateway.platform.operations.models import OperationRow
from gateway.platform.operations.types import Operation, State
from tenants.types import Principal


def get(operation_id: UUID, *, principal: Principal | None = None) -> Operation:
    """One operation. Raises UnknownOperation; another key's operation is unknown to a scoped key."""
    row = OperationRow.objects.filter(pk=operation_id).first()
    if row is None or hidden_from(principal, row):
        raise UnknownOperation("There is no such operation.")
    return to_operation(row)


def failure(operation_id: UUID) -> dict[str, str] | None:
    """``{"code", "detail"}`` of an operation that ended without success; None for any other, and for none."""
    row = OperationRow.objects.filter(pk=operation_id, state__in=[State.FAILED, State.CANCELLED]).first()
    if row is None:
        return None
    return row.error or {"code": "operation_cancelled", "detail": "The operation was cancelled."}


def list_page(
    *,
    limit: int,
    after: UUID | None,
    state: State | None = None,
    kind: str | None = None,
    principal: Principal | None = None,
) -> Page[Operation]:
    """Operations, newest first; a scoped key sees only those it started."""
    rows = OperationRow.objects.order_by("-id")
    if state is not None:
        rows = rows.filter(state=state)
    if kind is not None:
        rows = rows.filter(kind=kind)
    if (owner := only_of(principal)) is not None:
        rows = rows.filter(created_by=owner)
    if after is not None:
        rows = rows.filter(id__lt=after)
    return page([to_operation(row) for row in rows[: limit + 1]], limit)


def only_of(principal: Principal | None) -> str | None:
    """Whose operations this caller may see: None for everybody's. An operation spans subjects, so a scoped key sees
    its own alone.
    """
    if principal is None:
        return None
    key = principal.grant
    scoped = not (key.persona_ids is None and key.subject_ids is None and key.memory_scopes is None)
    return str(principal.actor) if scoped else None


def hidden_from(principal: Principal | None, row: OperationRow) -> bool:
    owner = only_of(principal)
    return owner is not None and row.created_by != owner


def to_operation(row: OperationRow) -> Operation:
    return Operation(
        id=row.id,
        kind=row.kind,
        state=State(row.state),
        done=row.progress_done,
        total=row.progress_total,
        payload=row.payload,
        result=row.result,
        error=row.error,
        created_by=row.created_by,
        request_id=row.request_id,
        attempts=row.attempts,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )
