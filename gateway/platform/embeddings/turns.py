"""Whose memories are embedded next: a few organizations at a time, each in its turn, nobody twice at once.

The scheduler hands out turns, a worker ends them. A turn that nobody ends runs out; a pause keeps an organization whose
embedder fails from being asked for again and again.
"""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import redis
from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper

from gateway.core.valkey import sync_client
from gateway.platform.outbox import selectors
from gateway.platform.outbox.types import Kind
from tenants.context import public_scope
from tenants.selectors import organization
from tenants.types import OrgRef

# The built-in embedder computes one batch at a time; a second turn keeps it busy while the first one stores.
_AT_ONCE = 2
# Longer than a turn that waits for a slow endpoint.
_TURN_MS = 120_000
_TURNS = "embeddings:turns"
_PAGE = 50
# Somebody waits for the answer, and can do without.
_ASKED_S = 0.5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _REMEMBERED_S = 5, 600, 3_600


class Turns:
    """The scheduler's side. Remembers where it was, so that the organizations take turns."""

    def __init__(self) -> None:
        self._after: UUID | None = None

    def due(self, on: BaseDatabaseWrapper) -> list[OrgRef]:
        """Organizations that have something to embed and got a turn now. ``on`` is the batch role's connection."""
        store, now = sync_client(settings.IKIRO_REDIS_URL), int(time.time() * 1000)
        store.zremrangebyscore(_TURNS, 0, now)
        free = _AT_ONCE - int(store.zcard(_TURNS))
        if free <= 0:
            return []
        marked = selectors.pending_orgs(on, Kind.EMBEDDING, _PAGE, self._after)
        if not marked and self._after is not None:
            self._after = None
            marked = selectors.pending_orgs(on, Kind.EMBEDDING, _PAGE)
        given: list[OrgRef] = []
        for org_id in marked:
            if len(given) == free:
                break
            self._after = org_id
            if store.exists(_pause(org_id)) or not store.zadd(_TURNS, {str(org_id): now + _TURN_MS}, nx=True):
                continue
            with public_scope():
                found = organization(org_id)
            if found is not None and found.state == "ready":
                given.append(found.ref)
        return given


def over(org_id: UUID) -> None:
    """The turn has ended, and whoever is next may begin."""
    sync_client(settings.IKIRO_REDIS_URL).zrem(_TURNS, str(org_id))


def pause(org_id: UUID, model: str, code: str) -> int:
    """Leave the organization out for a while, longer with each failure; how many there were in a row, this one
    included. ``code`` says why the model gave nothing."""
    store = sync_client(settings.IKIRO_REDIS_URL)
    failures = int(store.incr(_failures(org_id)))
    store.expire(_failures(org_id), _REMEMBERED_S)
    seconds = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(failures - 1, 10))
    store.set(_pause(org_id), "1", ex=seconds)
    store.set(_reason(org_id), f"{code} {model}", ex=_REMEMBERED_S)
    return failures


def failing(org_id: UUID, model: str) -> str | None:
    """Why the model gives the organization no vectors at the moment; None where it does, or where nobody can tell."""
    try:
        kept: Any = sync_client(settings.IKIRO_REDIS_URL, timeout_s=_ASKED_S).get(_reason(org_id))
    except redis.RedisError:
        return None
    code, _, failed = (kept or b"").decode().partition(" ")
    return code if code and failed == model else None


def resume(org_id: UUID) -> None:
    """Nothing is wrong with the organization's embedder (any more)."""
    sync_client(settings.IKIRO_REDIS_URL).delete(_pause(org_id), _failures(org_id), _reason(org_id))


def _pause(org_id: UUID) -> str:
    return f"embeddings:pause:{org_id}"


def _failures(org_id: UUID) -> str:
    return f"embeddings:failures:{org_id}"


def _reason(org_id: UUID) -> str:
    return f"embeddings:reason:{org_id}"
