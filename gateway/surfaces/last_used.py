"""When keys were last used, without a write per request: noted in memory, written together every few seconds."""

from __future__ import annotations

import asyncio
from datetime import datetime
from uuid import UUID

from gateway.core import clock
from gateway.core.errors import Unavailable
from tenants import keys
from tenants.context import in_public

_FLUSH_S = 5.0
_used: dict[UUID, datetime] = {}


def mark(key_id: UUID) -> None:
    """This key was used now."""
    _used[key_id] = clock.now()


async def flush() -> None:
    """Write what was noted; what cannot be written now is kept for the next time."""
    global _used
    if not _used:
        return
    pending, _used = _used, {}
    try:
        await in_public(keys.touch, pending)
    except Unavailable:
        _used = {**pending, **_used}


async def loop() -> None:
    """Flush for ever."""
    while True:
        await asyncio.sleep(_FLUSH_S)
        await flush()
