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
from tenants.killswitch import Kill
from tenants.people.sessions import KEPT
from tenants.sso.types import Rule
from tenants.tokenstate import TokenState
from tenants.types import ApiKey, Membership, Organization, Person

__all__ = ["EPOCH_KEY", "Directory", "announce", "directory", "next_version"]
T = TypeVar("T")
_STALE_AFTER_S = 5.0
# While the store does not answer, nobody knows whether something changed: the database is asked so often instead, and
# when that is away too, nothing is decided after a minute (ADR-0026).
_ASK_EVERY_S = 2.0
_UNHEARD_AFTER_S = 60.0
_MISS_PAUSE_S = 0.2


class Directory:
    """One process's snapshot. Reads are plain dictionary look-ups without I/O."""

    def __init__(self) -> None:
        self.version = -1
        self.loads = 0
        self.loaded_at: float | None = None
        self._organizations: dict[UUID, Organization] = {}
        self._keys: dict[str, ApiKey] = {}
        self._people: dict[UUID, Person] = {}
        self._memberships: dict[tuple[UUID, UUID], Membership] = {}
        self._ended: dict[str, datetime] = {}
        self._sso: dict[UUID, Rule] = {}
        self.killed: dict[str, Kill] = {}
        self.tokens = TokenState()
        self._behind_since: float | None = None
        self._missed_at = 0.0
        self._heard_at = 0.0
        self._asked_at = 0.0
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

    def may_ask(self, origin: str) -> bool:
        """Whether any credential of this installation may be used from a web origin."""
        return self.tokens.may_ask(origin, self._keys)

    def require_fresh(self) -> None:
        """Refuse to decide on a snapshot that is known to be behind for too long, or that was never loaded."""
        now = time.monotonic()
        if (
            self.version < 0
            or (self._behind_since is not None and now - self._behind_since > _STALE_AFTER_S)
            or (self._heard_at and now - self._heard_at > _UNHEARD_AFTER_S)
        ):
            raise Unavailable("The key directory is not up to date here; try again shortly.", code="directory_stale")

    async def load(self) -> None:
        """Bring in all that was committed before this call; those who call meanwhile share one load. Raises Unavailable
        without the database."""
        begun = self._loading
        if begun is not None and not begun.done():
            await asyncio.wait([begun])  # it may have read before the caller's change was committed
        if self._loading is begun or self._loading is None:
            self._loading = background.start(self._load(), name="directory-load")
        await asyncio.shield(self._loading)

    async def _load(self) -> None:
        changed = await in_public(selectors.directory_since, self.version)
        for organization in changed.organizations:
            self._organizations[organization.ref.id] = organization
        former = [before for key in changed.keys if (before := self._keys.get(key.public)) is not None]
        for key in changed.keys:
            self._keys[key.public] = key
        self.tokens.take(changed.tokens, former, changed.keys)
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
        if changed.kills:
            kills: dict[str, Kill | None] = {**self.killed, **dict(changed.kills)}
            self.killed = {flag: kill for flag, kill in kills.items() if kill is not None}
        if self._ended or changed.ended_sessions:
            oldest = clock.now() - KEPT
            self._ended.update(changed.ended_sessions)
            self._ended = {sid: ended for sid, ended in self._ended.items() if ended > oldest}
        self.version = max(self.version, changed.version)
        self._behind_since = None
        self.loads += 1
        self.loaded_at = time.monotonic()

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
        await self.load()
        found = look()
        if found is None:
            self._missed_at = time.monotonic()
        return found

    async def follow(
        self,
        read_epoch: Callable[[], Awaitable[int]],
        report: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        """Poll the epoch for ever. The poll interval plus one load bounds how long a revoked key lives. ``report`` is
        told each time which version is obeyed."""
        while True:
            try:
                if self.version < 0:
                    await self.load()
                epoch = await read_epoch()
                if epoch > self.version:
                    self._behind_since = self._behind_since or time.monotonic()
                    await self.load()
                if report is not None:
                    await report(self.version)
                self._heard_at = time.monotonic()
            except Unavailable:
                await asyncio.sleep(settings.IKIRO_EPOCH_POLL_S)
                await self._ask_the_database()
            await asyncio.sleep(settings.IKIRO_EPOCH_POLL_S)

    async def _ask_the_database(self) -> None:
        """While the store does not say, look for changes in the database itself: one query every few seconds, whatever
        the traffic is. Without either, what is known here ages, and ``require_fresh`` bounds that."""
        now = time.monotonic()
        if self.version < 0 or now - max(self._heard_at, self._asked_at) < _ASK_EVERY_S:
            return
        self._asked_at = now
        try:
            await self.load()
        except Unavailable:
            return
        self._heard_at = time.monotonic()


directory = Directory()
