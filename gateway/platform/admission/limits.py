"""One limit as the store judges it, and all that apply to one caller, encoded once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec

from gateway.platform.admission.types import RateLimit
from tenants.rules import Kind, Level

# The monthly calls of a plan: a kind of its own beside those that an organization may set.
CALLS = "calls"
LIFE = "life"
# What a limit that is nobody's rule is called in answers and in the store.
PLAN, KEY, TOKEN = "plan", "key", "token"
ORGANIZATION = "o"

_encode = msgspec.json.Encoder().encode
# Fields of one limit in a script's reply.
_REPLY = 6


@dataclass(frozen=True, slots=True)
class Limit:
    """``limit`` None: only counted. ``window`` is seconds (requests, tokens), 0 (concurrency), ``day``, ``month`` or
    ``life``. ``holder`` is whose use it judges, as the store names it. One that ``reports`` never refuses: a shadow
    rule or a soft budget. ``since_ms``: when the capability token of a ``life`` budget was made."""

    id: str
    level: str
    kind: str
    limit: int | None
    window: int | str
    holder: str = ORGANIZATION
    hard: bool = True
    shadow: bool = False
    since_ms: int | None = None

    @property
    def reports(self) -> bool:
        return self.shadow or not self.hard

    @property
    def guards_money(self) -> bool:
        """Whether it is a hard budget: what it cannot know it refuses."""
        return self.kind == Kind.BUDGET and self.limit is not None and not self.reports

    def wire(self) -> list[Any]:
        """As ``admit.lua`` reads it."""
        window = self.window if isinstance(self.window, str) else self.window * 1_000_000
        limit = -1 if self.limit is None else self.limit
        told: list[Any] = [str(self.kind), self.holder, self.id, limit, window, int(self.reports)]
        return told if self.since_ms is None else [*told, self.since_ms]


@dataclass(frozen=True, slots=True)
class Applied:
    """Every limit over one caller, and everybody whose use is counted; with both as the scripts take them."""

    limits: tuple[Limit, ...]
    holders: str
    encoded: bytes

    @property
    def guards_money(self) -> bool:
        return any(limit.guards_money for limit in self.limits)


def applied(limits: Sequence[Limit], holders: Iterable[str] = ()) -> Applied:
    """Encode what applies."""
    return Applied(tuple(limits), ",".join(holders), _encode([limit.wire() for limit in limits]))


@lru_cache(maxsize=1024)
def rate_alone(rate: RateLimit, level: str) -> Applied:
    """Nothing but a request rate, for callers that no organization answers for."""
    return applied([Limit(PLAN, level, Kind.REQUESTS, rate.limit, rate.window_s)])


@dataclass(frozen=True, slots=True)
class LimitState:
    """A limit at one moment. ``left`` and ``used`` are in the limit's own unit (requests, tokens, calls at once, calls,
    micro-dollars); ``held`` is what open calls may still use of it. ``unknown``: the store was emptied, and what was
    spent is being put back."""

    limit: Limit
    refuses: bool
    unknown: bool
    left: int
    reset_s: float
    retry_s: float
    used: int
    held: int

    def facts(self) -> dict[str, Any]:
        """One line for the decision record, a refusal and ``GET /v1/limits``."""
        limit = self.limit
        told: dict[str, Any] = {
            "id": limit.id,
            "scope": limit.level,
            "kind": limit.kind,
            "limit": limit.limit,
            "remaining": self.left if limit.limit is not None else None,
        }
        if isinstance(limit.window, str):
            told["window"] = limit.window
            told["used"], told["held"] = self.used, self.held
            told["hard"] = limit.hard
        elif limit.window:
            told["window_s"] = limit.window
            told["reset_s"] = self.reset_s
        if limit.shadow:
            told["shadow"] = True
        return told


def states(limits: Sequence[Limit], reply: Sequence[int], now: datetime, start: int = 5) -> tuple[LimitState, ...]:
    """The states in a script's reply, which has them one after the other from ``start``."""
    found = []
    for place, limit in enumerate(limits):
        refuses, left, reset_ms, retry_ms, used, held = reply[start + place * _REPLY : start + (place + 1) * _REPLY]
        reset_s = window_left(limit.window, now) if isinstance(limit.window, str) else reset_ms / 1000
        found.append(LimitState(limit, refuses != 0, refuses == 2, left, reset_s, retry_ms / 1000, used, held))
    return tuple(found)


def window_left(window: str, now: datetime) -> float:
    """Seconds until the UTC day or month of ``now`` is over; endless for a life."""
    if window == LIFE:
        return math.inf
    return (window_end(window, now) - now).total_seconds()


def window_end(window: str, now: datetime) -> datetime:
    """When the UTC ``day`` or ``month`` of ``now`` is over."""
    if window == "day":
        return datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    return datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)


def tightest(found: Sequence[LimitState]) -> LimitState | None:
    """The request rate with the least left: what ``RateLimit-*`` says. None where no request rate applies."""
    rates = [state for state in found if state.limit.kind == Kind.REQUESTS and not state.limit.reports]
    return min(rates, key=lambda state: state.left, default=None)


def of_calls(found: Sequence[LimitState]) -> LimitState | None:
    """The month's calls, where they are counted."""
    return next((state for state in found if state.limit.kind == CALLS), None)


__all__ = [
    "CALLS", "KEY", "LIFE", "ORGANIZATION", "PLAN", "TOKEN", "Applied", "Kind", "Level", "Limit", "LimitState",
    "applied", "of_calls", "rate_alone", "states", "tightest", "window_end", "window_left",
]  # fmt: skip
