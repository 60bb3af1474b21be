"""The directory that every worker holds in memory: organizations, keys, people and their memberships, and the sessions
that ended a moment ago, kept true by an epoch.

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
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.conf import settings

from gateway.core import background, clock
from gateway.core.errors import Unavailable
from tenants import selectors
from tenants.context import in_public
from tenants.epoch import EPOCH_KEY, announce, next_version
from tenants.people.sessions import KEPT
from tenants.sso.types import Rule
from tenants.types import ApiKey, Membership, Organization, Person

__all__ = ["EPOCH_KEY", "Directory", "announce", "directory", "next_version"]
T = TypeVar("T")
_STALE_AFTER_S = 5.0
_MISS_PAUSE_S = 0.2


class Directory:
    """One process's snapshot. Reads are plain dictionary look-ups without I/O."""

    def __init__(self) -> None:
        self.version = -1
        self.loads = 0
        self._organizations: dict[UUID, Organization] = {}
        self._keys: dict[str, ApiKey] = {}
        self._people: dict[UUID, Person] = {}
        self._memberships: dict[tuple[UUID, UUID], Membership] = {}
        self._ended: dict[str, datetime] = {}
        self._sso: dict[UUID, Rule] = {}
        self._behind_since: float | None = None
        self._missed_at = 0.0
        self._loading: asyncio.Task[None] | None = None

    def organization(self, org_id: UUID) -> Organization | None:
        return self._organizations.get(org_id)

    def key(self, public: str) -> ApiKey | None:
        return self._keys.get(public)

    def person(self, user_id: UUID) -> Person | None:
        """Somebody with an active account."""
        return self._people.get(user_id)

    def membership(self, user_id: UUID, org_id: UUID) -> Membership | None:
        return self._memberships.get((user_id, org_id))

    def has_ended(self, sid: str) -> bool:
        """Whether this session ended while tokens of it may be out."""
        return sid in self._ended

    def sso(self, org_id: UUID) -> Rule | None:
        """How sessions must have been opened for this organization."""
        return self._sso.get(org_id)

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
        for user_id, person in changed.people:
            if person is not None:
                self._people[user_id] = person
            else:
                self._people.pop(user_id, None)
        for member, org_id, membership in changed.memberships:
            if membership is not None:
                self._memberships[member, org_id] = membership
            else:
                self._memberships.pop((member, org_id), None)
        for rule in changed.sso:
            self._sso[rule.org_id] = rule
        if self._ended or changed.ended_sessions:
            oldest = clock.now() - KEPT
            self._ended.update(changed.ended_sessions)
            self._ended = {sid: ended for sid, ended in self._ended.items() if ended > oldest}
        self.version = max(self.version, changed.version)
        self._behind_since = None
        self.loads += 1

    async def find_missing(self, public: str) -> ApiKey | None:
        """A key made a moment ago on another worker."""
        return await self.find(lambda: self._keys.get(public))

    async def find(self, look: Callable[[], T | None]) -> T | None:
        """What ``look`` finds here; if it finds nothing, look in the database before refusing, together with all others
        who ask."""
        found = look()
        if found is not None:
            return found
        pause = self._missed_at + _MISS_PAUSE_S - time.monotonic()
        if pause > 0:
            await asyncio.sleep(pause)
        under_way = self._loading is not None and not self._loading.done()
        await self.load()
        if under_way and look() is None:
            await self.load()  # the first one may have read before the change was committed
        found = look()
        if found is None:
            self._missed_at = time.monotonic()
        return found

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
