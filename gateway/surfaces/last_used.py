"""When and how much keys are used, without a write per request: noted in memory, written together every few seconds."""

from __future__ import annotations

import asyncio
from datetime import datetime
from uuid import UUID

from django.http import HttpRequest

from gateway.core import clock
from gateway.core.errors import Unavailable
from gateway.platform.admission import gate
from tenants import keys, keyuse
from tenants.accounts.address import client_address
from tenants.context import in_public
from tenants.types import Principal

_FLUSH_S = 5.0
_used: dict[UUID, datetime] = {}
# By rotation, because after one the former secret is another.
_noted: dict[tuple[UUID, datetime | None], keyuse.Noted] = {}


def mark(principal: Principal, request: HttpRequest) -> None:
    """A key was used now, itself or by a token that it made."""
    key = principal.key
    if key is None:
        return
    now = clock.now()
    _used[key.id] = now
    noted = _noted.get((key.id, key.rotated_at))
    if noted is None:
        noted = _noted[key.id, key.rotated_at] = keyuse.Noted(key, now)
    if principal.by_old_secret:
        agent = request.META.get("HTTP_USER_AGENT", "")
        noted.count(now, old=True, address=client_address(request), agent=agent)
    else:
        noted.count(now, old=False, address="", agent="")


async def flush() -> None:
    """Write what was noted. Times that cannot be written now are kept for the next time; counts are given up, so that
    none is counted twice."""
    global _used, _noted
    if not _used:
        return
    pending, _used = _used, {}
    counted, _noted = _noted, {}
    try:
        await in_public(keys.touch, pending)
    except Unavailable:
        _used = {**pending, **_used}
    try:
        await keyuse.write(gate.store(), counted.values())
    except Unavailable:
        return


async def loop() -> None:
    """Flush for ever."""
    while True:
        await asyncio.sleep(_FLUSH_S)
        await flush()
