"""The names of a stream's keys. The organization is their hash tag, so a script finds them on one node."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from gateway.core.valkey import Valkey, connection


@dataclass(frozen=True, slots=True)
class StreamKeys:
    """``list`` holds batches of frames, ``alive`` outlives its worker by a lease, ``who`` is the head."""

    list: str
    alive: str
    who: str


def of_stream(org_id: UUID, request_id: UUID) -> StreamKeys:
    base = f"frames:{{{org_id}}}:{request_id}:"
    return StreamKeys(f"{base}list", f"{base}alive", f"{base}who")


def store() -> Valkey:
    """This event loop's connection to the cache store."""
    return connection(settings.IKIRO_CACHE_URL)
