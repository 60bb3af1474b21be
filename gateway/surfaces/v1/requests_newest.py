"""When an organization's newest request was written: asked once for all of its live tails in this process."""

from __future__ import annotations

import asyncio
from uuid import UUID

from gateway.core import background
from gateway.platform.requests import selectors as records
from tenants.context import in_tenant
from tenants.types import OrgRef

# An answer stands so long; tails look once a second, each at its own moment.
STANDS_S = 0.5
_asked: dict[UUID, tuple[float, asyncio.Task[int]]] = {}


async def newest(ref: OrgRef) -> int:
    """The moment in microseconds, at most ``STANDS_S`` old; 0 when there is none. Raises Unavailable."""
    now = asyncio.get_running_loop().time()
    at, task = _asked.get(ref.id, (0.0, None))
    if task is None or now - at >= STANDS_S:
        task = background.start(in_tenant(ref, records.last_written), name="newest-request")
        _asked[ref.id] = now, task
    return await asyncio.shield(task)


def forget(org_id: UUID) -> None:
    """The organization's last tail here has ended."""
    _asked.pop(org_id, None)
