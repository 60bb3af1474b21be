"""When an organization's providers were last used, without a write per call: noted in memory, written together."""

from __future__ import annotations

import asyncio
from datetime import datetime
from uuid import UUID

from gateway.core import clock
from gateway.core.errors import Unavailable
from gateway.platform.providers import services
from tenants.context import in_tenant
from tenants.types import OrgRef

_FLUSH_S = 5.0
_used: dict[OrgRef, dict[UUID, datetime]] = {}


def mark(ref: OrgRef, provider_id: UUID) -> None:
    """This provider was used now."""
    _used.setdefault(ref, {})[provider_id] = clock.now()


async def flush() -> None:
    """Write what was noted, one organization after the other; what cannot be written now is kept for the next time."""
    global _used
    pending, _used = _used, {}
    for ref, used in pending.items():
        try:
            await in_tenant(ref, services.touch, used)
        except Unavailable:
            _used[ref] = {**used, **_used.get(ref, {})}


async def loop() -> None:
    """Flush for ever."""
    while True:
        await asyncio.sleep(_FLUSH_S)
        await flush()
