"""What can be wrong with asking for an operation, and how a runner is told to stop."""

from __future__ import annotations

from gateway.core.errors import Conflict, NotFound


class UnknownOperation(NotFound):
    default_code = "operation_not_found"


class OperationFinished(Conflict):
    default_code = "operation_finished"


class Cancelled(Exception):
    """Raised by ``advance`` inside a runner: somebody cancelled the operation. Let it through after tidying up."""


class LeaseLost(Exception):
    """Raised by ``advance`` inside a runner that was silent for too long: another worker has taken over. Let it
    through.
    """
