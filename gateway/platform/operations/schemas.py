"""What the operations API answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Schema

from gateway.core import ids
from gateway.core.pagination import Page
from gateway.platform.operations.types import Operation


class ProgressOut(Schema):
    done: int
    total: int | None


class OperationOut(Schema):
    id: str
    kind: str
    state: str
    progress: ProgressOut
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    created_by: str
    request_id: str | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, operation: Operation) -> OperationOut:
        return cls(
            id=operation.public_id,
            kind=operation.kind,
            state=operation.state.value,
            progress=ProgressOut(done=operation.done, total=operation.total),
            result=operation.result,
            error=operation.error,
            created_by=operation.created_by,
            request_id=ids.public("req", operation.request_id) if operation.request_id else None,
            created_at=operation.created_at,
            finished_at=operation.finished_at,
        )


class OperationPageOut(Schema):
    data: list[OperationOut]
    next_cursor: str | None

    @classmethod
    def of(cls, found: Page[Operation]) -> OperationPageOut:
        return cls(data=[OperationOut.of(operation) for operation in found.data], next_cursor=found.next_cursor)
