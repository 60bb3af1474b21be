"""The directory that every worker holds in memory: organizations and keys, kept true by an epoch.

Every change to a row of the directory takes the next ``version`` under one advisory lock, so versions become visible
in order and "everything above N" never misses one. After the commit the new version is announced in Valkey; a worker
that sees a higher number than its own loads what is above. A process killed between commit and announcement is healed
by the scheduler, which announces the database's own highest version. A key that is not known yet is looked for once
in the database before it is refused.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from gateway.core import background
from gateway.core.errors import Unavailable
from gateway.core.valkey import sync_client
from tenants import selectors
from tenants.context import in_public
from tenants.types import ApiKey, Organization

EPOCH_KEY = "directory:epoch"
_LOCK = 7_021_001
_STALE_AFTER_S = 5.0
_MISS_PAUSE_S = 0.2
_ANNOUNCE = """
local known = tonumber(redis.call('GET', KEYS[1]) or '0')
if tonumber(ARGV[1]) > known then redis.call('SET', KEYS[1], ARGV[1]) end
return 1
"""


def next_version() -> int:
    """The version for a change being made; inside its transaction. Announces itself once that commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        cursor.execute("SELECT nextval('public.tenants_directory_version')")
        version: int = cursor.fetchone()[0]
    transaction.on_commit(lambda: announce(version), robust=True)
    return version


def announce(version: int) -> None:
    """Tell every worker that the directory is at least at ``version``."""
    sync_client(settings.IKIRO_REDIS_URL).eval(_ANNOUNCE, 1, EPOCH_KEY, version)


class Directory:
    """One process's snapshot. Reads are plain dictionary look-ups without I/O."""

    def __init__(self) -> None:
        self.version = -1
        self.loads = 0
        self._organizations: dict[UUID, Organization] = {}
        self._keys: dict[str, ApiKey] = {}
        self._behind_since: float | None = None
        self._missed_at = 0.0
        self._loading: asyncio.Task[None] | None = None

    def organization(self, org_id: UUID) -> Organization | None:
        return self._organizations.get(org_id)

    def key(self, public: str) -> ApiKey | None:
        return self._keys.get(public)

    def require_fresh(self) -> None:
        """Refuse to decide on a snapshot that is known to be behind for too long, or that was never loaded."""
        if self.version < 0 or (
            self._behind_since is not None and time.monotonic() - self._behind_since > _STALE_AFTER_S
        ):
            raise Unavailable("The key directory is not up to date here; try again shortly.", code="directory_stale")

    async def load(self) -> None:
        """Bring in all that changed; concurrent callers share one load. Raises Unavailable without the database."""
        if self._loading is None or self._loading.done():
            self._loading = background.start(self._load(), name="directory-load")
        await asyncio.shield(self._loading)

    async def _load(self) -> None:
        changed = await in_public(selectors.directory_since, self.version)
        for organization in changed.organizations:
            self._organizations[organization.ref.id] = organization
        for key in changed.keys:
            self._keys[key.public] = key
        self.version = max(self.version, changed.version)
        self._behind_since = None
        self.loads += 1

    async def find_missing(self, public: str) -> ApiKey | None:
        """A key made a moment ago on another worker: look in the database before refusing, together with all others
        who ask."""
        pause = self._missed_at + _MISS_PAUSE_S - time.monotonic()
        if pause > 0:
            await asyncio.sleep(pause)
        under_way = self._loading is not None and not self._loading.done()
        await self.load()
        if under_way and public not in self._keys:
            await self.load()  # the first one may have read before the key was committed
        if public not in self._keys:
            self._missed_at = time.monotonic()
        return self._keys.get(public)

    async def follow(self, read_epoch: Callable[[], Awaitable[int]]) -> None:
        """Poll the epoch for ever. The poll interval plus one load bounds how long a revoked key lives."""
        while True:
            try:
                if self.version < 0:
                    await self.load()
                epoch = await read_epoch()
                if epoch > self.version:
                    self._behind_since = self._behind_since or time.monotonic()
                    await self.load()
            except Unavailable:
                await asyncio.sleep(settings.IKIRO_EPOCH_POLL_S)
            await asyncio.sleep(settings.IKIRO_EPOCH_POLL_S)


directory = Directory()
