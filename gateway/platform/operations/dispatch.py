"""The port through which a started operation reaches a worker; filled with the Celery task when the app is ready.

Services know no Celery. A message that is lost (the broker was away, the process died after the commit) is made good
by the sweep.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from tenants.context import current
from tenants.types import OrgRef

Send = Callable[[OrgRef, UUID], None]
_send: Send | None = None


def fill(send: Send) -> None:
    """Install the sender; called once, at start-up."""
    global _send
    _send = send


def dispatch(operation_id: UUID) -> None:
    """Have a worker run this operation of the organization in scope, once the open transaction commits."""
    if _send is None:
        raise RuntimeError("Operations have no dispatcher: gateway.platform.operations must be installed.")
    _send(current(), operation_id)
