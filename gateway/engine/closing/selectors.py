"""Reads of an organization's exports."""

from __future__ import annotations

from uuid import UUID

from gateway.engine.closing.errors import ExportGone, ExportNotReady
from gateway.engine.closing.models import ExportPieceRow
from gateway.engine.closing.types import KIND
from gateway.platform.operations import selectors as operations
from gateway.platform.operations.errors import UnknownOperation
from gateway.platform.operations.types import State
from tenants.types import Principal


def pieces(operation_id: UUID, *, principal: Principal) -> int:
    """How many pieces the file has. Raises UnknownOperation, ExportNotReady while it is written or when that failed,
    ExportGone when its time is over."""
    operation = operations.get(operation_id, principal=principal)
    if operation.kind != KIND:
        raise UnknownOperation("There is no such export.")
    if operation.state is not State.SUCCEEDED:
        raise ExportNotReady(
            f"The export is {operation.state.value}; it can be fetched once it has succeeded.",
            extra={"state": operation.state.value},
        )
    count = ExportPieceRow.objects.filter(operation_id=operation_id).count()
    if count == 0:
        raise ExportGone("This export was deleted after seven days; make another.")
    return count


def piece(operation_id: UUID, number: int) -> bytes:
    """One piece, from 0. Raises ExportGone."""
    row = ExportPieceRow.objects.filter(operation_id=operation_id, number=number).first()
    if row is None:
        raise ExportGone("This export was deleted after seven days; make another.")
    return bytes(row.data)
