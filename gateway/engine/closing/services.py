"""Beginning an export, and letting go of old ones."""

from __future__ import annotations

from uuid import UUID

from gateway.core import clock
from gateway.core.journal import Actor
from gateway.engine.closing.models import ExportPieceRow
from gateway.engine.closing.types import KEPT_FOR, KIND
from gateway.platform.operations import services as operations
from gateway.platform.operations.types import Operation


def start_export(*, actor: Actor, request_id: UUID | None = None) -> Operation:
    """Have a worker write everything the organization in scope has into a file."""
    return operations.start(KIND, actor=actor, request_id=request_id)


def forget_exports() -> int:
    """Delete the pieces of exports whose time is over; how many."""
    return ExportPieceRow.objects.filter(created_at__lt=clock.now() - KEPT_FOR).delete()[0]
