"""When and how much keys are used, without a write per request: noted in memory, written together every few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID

from django.http import HttpRequest

from gateway.core import clock
from gateway.core.errors import Unavailable
from gateway.platform.admission import gate
from tenants import keys, keyuse
from tenants.accounts.address import client_address
from tenants.context import in_public
from tenants.types import ApiKey, Principal

_FLUSH_S = 5.0
# A key, when it was used last, and how often since the last time somebody asked.
Used = tuple[ApiKey, datetime, int]
_sources: list[Callable[[], Iterable[Used]]] = []
_used: dict[UUID, datetime] = {}
# By rotation, because after one the former secret is another.
_noted: dict[tuple[UUID, datetime | None], keyuse.Noted] = {}


def mark(principal: Principal, request: HttpRequest) -> None:
    """A key was used now, itself or by a token that it made."""
    key = principal.key
    if key is None:
        return
    noted = _note(key, clock.now(), 1)
    if principal.by_old_secret:
        noted.count_old(client_address(request), request.META.get("HTTP_USER_AGENT", ""))


def also(source: Callable[[], Iterable[Used]]) -> None:
    """Ask ``source`` before each flush what else was used: for calls so short that a note of each costs too much."""
    _sources.append(source)


def _note(key: ApiKey, at: datetime, calls: int) -> keyuse.Noted:
    _used[key.id] = max(at, _used.get(key.id, at))
    noted = _noted.get((key.id, key.rotated_at))
    if noted is None:
        noted = _noted[key.id, key.rotated_at] = keyuse.Noted(key, at)
    noted.count(at, calls)
    return noted


async def flush() -> None:
    """Write what was noted. Times that cannot be written now are kept for the next time; counts are given up, so that
    none is counted twice."""
    global _used, _noted
    for source in _sources:
        for key, at, calls in source():
            _note(key, at, calls)
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
