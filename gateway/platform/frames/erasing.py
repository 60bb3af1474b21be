"""Dropping kept frames before their time. Synchronous: for workers."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings

from gateway.core.valkey import sync_client
from gateway.platform.frames.keys import of_stream


def forget(org_id: UUID, request_ids: Sequence[UUID]) -> int:
    """Drop what is kept of these requests' streams; how many had anything. Raises redis.RedisError."""
    client = sync_client(settings.IKIRO_CACHE_URL)
    dropped = 0
    try:
        for request_id in request_ids:
            keys = of_stream(org_id, request_id)
            dropped += 1 if client.delete(keys.list, keys.who) else 0
    finally:
        client.close()
    return dropped
