"""What a web process has once: its connection to the store."""

from __future__ import annotations

import asyncio

from django.conf import settings

from gateway.core.valkey import Valkey, connection

_store: tuple[asyncio.AbstractEventLoop, Valkey] | None = None


def store() -> Valkey:
    """This event loop's connection to the store. It waits no longer than IKIRO_ADMISSION_TIMEOUT_MS for an answer."""
    global _store
    loop = asyncio.get_running_loop()
    if _store is None or _store[0] is not loop:
        _store = loop, connection(settings.IKIRO_REDIS_URL, timeout_s=settings.IKIRO_ADMISSION_TIMEOUT_MS / 1000)
    return _store[1]


async def close() -> None:
    """Close the connection at shutdown."""
    global _store
    await store().close()
    _store = None
