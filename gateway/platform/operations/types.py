"""An operation as callers see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from gateway.core import ids


class State(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        return self in {State.SUCCEEDED, State.FAILED, State.CANCELLED}


@dataclass(frozen=True, slots=True)
class Operation:
    """One piece of long work. ``total`` is None while it is not known; ``error`` is ``{"code", "detail"}``."""

    id: UUID
    kind: str
    state: State
    done: int
    total: int | None
    payload: dict[str, Any]
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    created_by: str
    request_id: UUID | None
    attempts: int
    created_at: datetime
    finished_at: datetime | None

    @property
    def public_id(self) -> str:
        return ids.public("op", self.id)


def accepted(operation: Operation) -> dict[str, Any]:
    """The body of a 202 answer that started this operation."""
    progress = {"done": operation.done, "total": operation.total}
    return {
        "operation": {
            "id": operation.public_id,
            "kind": operation.kind,
            "state": operation.state.value,
            "progress": progress,
        }
    }
