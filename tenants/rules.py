"""What an organization and its keys set for themselves: limits, budgets, and a few choices. Frozen values read from
JSON columns; who writes them checks them first, so reading never refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """Whom a limit is for. Below ``organization`` a rule applies to each key, person or subject by itself."""

    ORGANIZATION = "organization"
    PROJECT = "project"
    KEY = "key"
    USER = "user"
    SUBJECT = "subject"


class Kind(StrEnum):
    """What a limit counts: requests or tokens in a window, requests at once, or money in a calendar window."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    CONCURRENCY = "concurrency"
    BUDGET = "budget"


class Disconnect(StrEnum):
    """What a stream does whose caller hung up: end upstream too, or run to its end for whoever comes back."""

    CANCEL = "cancel"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True)
class KeyRate:
    """``limit`` requests in ``window_s`` seconds."""

    limit: int
    window_s: int


@dataclass(frozen=True, slots=True)
class KeyBudget:
    """Micro-dollars in a UTC ``day`` or ``month``. A hard one is never overspent; a soft one is reported."""

    limit_micros: int
    window: str
    hard: bool = True


@dataclass(frozen=True, slots=True)
class LimitRule:
    """One limit that an organization sets. ``window`` is seconds for requests and tokens, 0 for concurrency, ``day`` or
    ``month`` for a budget; a shadow rule only reports. Until ``raised_until`` the limit is ``raised_limit``."""

    id: str
    level: str
    kind: str
    limit: int
    window: int | str
    hard: bool = True
    shadow: bool = False
    raised_limit: int | None = None
    raised_until: datetime | None = None

    def limit_at(self, now: datetime) -> int:
        """The limit in force at a moment."""
        if self.raised_limit is not None and self.raised_until is not None and now < self.raised_until:
            return self.raised_limit
        return self.limit

    def stored(self) -> dict[str, Any]:
        """As the JSON column holds it."""
        until = self.raised_until.isoformat() if self.raised_until is not None else None
        return {**asdict(self), "raised_until": until}


@dataclass(frozen=True, slots=True)
class OrgSettings:
    """An organization's choices. ``price_overrides``: full model name → dollars per million tokens, by kind of
    token; ``flags``: what it chose of each feature flag and why (``tenants.flags``); ``embedding_model``: what embeds
    its memories, ``provider/model`` of its own, None for the built-in one."""

    store_bodies: bool = False
    body_retention_days: int = 7
    request_retention_days: int = 90
    conversation_retention_days: int = 90
    memory_hard_cap: bool = False
    on_disconnect: str = Disconnect.CANCEL
    price_overrides: Mapping[str, Any] = field(default_factory=dict)
    flags: Mapping[str, Any] = field(default_factory=dict)
    embedding_model: str | None = None
    embedding_dimensions: int | None = None
    embedding_shorten: bool = False


def rule_of(stored: Mapping[str, Any]) -> LimitRule:
    """A rule from its JSON."""
    until = stored.get("raised_until")
    known = {name: stored[name] for name in LimitRule.__dataclass_fields__ if name in stored}
    return LimitRule(**{**known, "raised_until": datetime.fromisoformat(until) if until else None})


def settings_of(stored: Mapping[str, Any] | None) -> OrgSettings:
    """The choices from their JSON; what is not there is as by default."""
    known = {name: value for name, value in (stored or {}).items() if name in OrgSettings.__dataclass_fields__}
    return OrgSettings(**known)
