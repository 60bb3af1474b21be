"""The port through which a decided proposal reaches a worker; filled with the Celery task when the app is ready.

Services know no Celery. A lost message is made good by the sweep, which the outbox marker leads to this organization.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from tenants.context import current
from tenants.types import OrgRef

Send = Callable[[OrgRef, UUID, float], None]
_send: Send | None = None


def fill(send: Send) -> None:
    """Install the sender; called once, at start-up."""
    global _send
    _send = send


def dispatch(proposal_id: UUID, *, delay_s: float = 0) -> None:
    """Have a worker carry this proposal out, ``delay_s`` seconds after the open transaction commits."""
    if _send is None:
        raise RuntimeError("Proposals have no dispatcher: gateway.governance.proposals must be installed.")
    _send(current(), proposal_id, delay_s)
