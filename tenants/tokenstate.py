"""What a worker holds in memory of capability tokens: those that were ended early, and the web origins of all.

A token is stored nowhere. Origins are known because a browser's preflight carries no credential that could say where it
may come from: those that keys list, and those that tokens were made for a while ago.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from gateway.core import clock
from tenants.capabilities import LEEWAY_S, MAX_LIFETIME_S
from tenants.models import EndedTokenRow, TokenOriginRow
from tenants.types import ApiKey

# Longer than any token that was made before.
KEPT = timedelta(seconds=MAX_LIFETIME_S + LEEWAY_S + 60)
# An origin in use is written again at most so often, and answered for so much longer than that.
REFRESHED_AFTER = timedelta(hours=1)
ANSWERED_FOR = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class TokenChanges:
    """All above a version: ended tokens with the moment, origins with their last use."""

    ended: tuple[tuple[UUID, UUID, datetime], ...] = ()
    origins: tuple[tuple[UUID, str, datetime], ...] = ()


class TokenState:
    """One worker's knowledge; a part of its directory. Look-ups are without I/O."""

    def __init__(self) -> None:
        self._ended: dict[tuple[UUID, UUID], datetime] = {}
        self._origins: dict[tuple[UUID, str], datetime] = {}
        self._by_origin: dict[str, datetime] = {}
        self._of_keys: dict[str, set[str]] = {}

    def has_ended(self, org_id: UUID, token_id: UUID) -> bool:
        """Whether the organization ended this token."""
        return (org_id, token_id) in self._ended

    def needs_origins(self, org_id: UUID, origins: Iterable[str]) -> list[str]:
        """Those of the origins that must be written before a token with them is given out."""
        fresh = clock.now() - REFRESHED_AFTER
        known = self._origins
        return [one for one in origins if (used := known.get((org_id, one))) is None or used < fresh]

    def may_ask(self, origin: str, keys: Mapping[str, ApiKey]) -> bool:
        """Whether some key or token of the installation may be used from an origin: what a preflight can be told."""
        now = clock.now()
        used = self._by_origin.get(origin)
        if used is not None and now - used < ANSWERED_FOR:
            return True
        found = (keys.get(public) for public in self._of_keys.get(origin, ()))
        return any(key is not None and key.state_at(now) in ("active", "rotating") for key in found)

    def take(self, changes: TokenChanges, before: Iterable[ApiKey], after: Iterable[ApiKey]) -> None:
        """Bring in what changed; ``before`` and ``after`` are the keys that changed, as they were and as they are."""
        for key in before:
            for origin in key.origins or ():
                self._of_keys.get(origin, set()).discard(key.public)
        for key in after:
            for origin in key.origins or ():
                self._of_keys.setdefault(origin, set()).add(key.public)
        if changes.ended:
            oldest = clock.now() - KEPT
            self._ended.update({(org, token): at for org, token, at in changes.ended})
            self._ended = {one: at for one, at in self._ended.items() if at > oldest}
        if changes.origins:
            oldest = clock.now() - ANSWERED_FOR
            self._origins.update({(org, origin): used for org, origin, used in changes.origins})
            self._origins = {one: used for one, used in self._origins.items() if used > oldest}
            self._by_origin = {}
            for (_, origin), used in self._origins.items():
                self._by_origin[origin] = max(used, self._by_origin.get(origin, used))


def changed_since(version: int) -> TokenChanges:
    """What the directory loads."""
    now = clock.now()
    ended = EndedTokenRow.objects.filter(version__gt=version, ended_at__gt=now - KEPT)
    origins = TokenOriginRow.objects.filter(version__gt=version, used_at__gt=now - ANSWERED_FOR)
    return TokenChanges(
        tuple(ended.values_list("organization_id", "token_id", "ended_at")),
        tuple(origins.values_list("organization_id", "origin", "used_at")),
    )
