"""How a provider has been doing, as this worker saw it: the breaker, and what ``/v1/providers`` shows.

    closed     calls go through; too many failures among the last ones open it
    open       another target is preferred until the pause is over
    half-open  one call is let through to see; it closes the breaker, or doubles the pause

The state belongs to a provider's own ``Entry``: another key or address begins with a clean one, and no organization's
trouble with its own key shows anywhere else. A pause that the provider asked for by ``Retry-After`` is kept per model,
because that is what vendors limit.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from statistics import median
from typing import TypeVar

from gateway.core import clock
from gateway.core.egress import ConnectFailed, EgressRefused, UpstreamBroken, UpstreamStalled, UpstreamTimeout
from gateway.core.errors import GatewayError
from gateway.platform.providers.errors import ProviderFailed, UpstreamRateLimited, UpstreamRejected

T = TypeVar("T")
# Only what happened lately counts, and one bad call among few is no trend.
WINDOW_S, WINDOW_CALLS, LEAST_CALLS = 60.0, 100, 5
FAILURE_RATE = 0.5
PAUSE_S, LONGEST_PAUSE_S = 5.0, 60.0
# A probe that nobody reports back on (a caller hung up) is forgotten after so long.
PROBE_S = 30.0
# Longer than this no Retry-After is believed; a mistaken one must not switch a model off for a day.
LONGEST_COOLDOWN_S = 300.0
_MOST_MODELS = 256


class Breaker(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class HealthView:
    """A provider's health at one moment. ``error_rate`` and ``p50_ms`` (time to the first token) are over the last
    minute's ``calls``, None without any; ``since`` is when the state began."""

    state: str
    since: datetime
    calls: int
    error_rate: float | None
    p50_ms: int | None
    last_error: str | None
    last_error_at: datetime | None


def failed(error: BaseException) -> bool:
    """Whether an error says something about the provider, rather than about the request or the caller."""
    if isinstance(error, UpstreamRejected):
        return False
    return isinstance(
        error, ProviderFailed | ConnectFailed | EgressRefused | UpstreamTimeout | UpstreamStalled | UpstreamBroken
    )


class Health:
    """The breaker of one provider. Times are the process's monotonic clock."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, bool, int]] = deque(maxlen=WINDOW_CALLS)
        self._state, self._since = Breaker.CLOSED, clock.now()
        self._pause, self._until = PAUSE_S, 0.0
        self._probing = 0.0
        self._cooling: dict[str, float] = {}
        self._last_error: str | None = None
        self._last_error_at: datetime | None = None

    async def watch(self, model: str, start: Callable[[], Awaitable[T]]) -> T:
        """Run one call to its first piece and remember how it went."""
        began = time.monotonic()
        if self._state is Breaker.OPEN and began >= self._until:
            self._enter(Breaker.HALF_OPEN)
        if self._state is Breaker.HALF_OPEN:
            self._probing = began
        try:
            opened = await start()
        except GatewayError as error:
            self.note(model, error)
            raise
        self.worked(round((time.monotonic() - began) * 1000))
        return opened

    def note(self, model: str, error: GatewayError) -> None:
        """Remember a failure, also one in the middle of an answer. What is wrong with the request counts as an
        answer."""
        if not failed(error):
            self.worked(None)
            return
        now = time.monotonic()
        self._seen.append((now, False, 0))
        self._last_error, self._last_error_at = error.code, clock.now()
        if isinstance(error, UpstreamRateLimited) and error.retry_after:
            self._cool(model, now + min(error.retry_after, LONGEST_COOLDOWN_S))
        if self._state is Breaker.HALF_OPEN:
            self._pause = min(self._pause * 2, LONGEST_PAUSE_S)
            self._open(now)
        elif self._state is Breaker.OPEN:
            self._until = now + self._pause
        elif self._too_many(now):
            self._open(now)

    def steady(self, model: str) -> bool:
        """Whether nothing at all speaks against calling it for this model."""
        return self._state is Breaker.CLOSED and model not in self._cooling

    def cooling(self, model: str) -> float:
        """Seconds for which the provider asked not to be called for this model; 0.0 when it may be."""
        until = self._cooling.get(model)
        if until is None:
            return 0.0
        left = until - time.monotonic()
        if left <= 0:
            del self._cooling[model]
        return max(0.0, left)

    def admits(self) -> bool:
        """Whether a call that has another target may go here: the breaker is closed, or this may be the probe."""
        if self._state is Breaker.CLOSED:
            return True
        now = time.monotonic()
        if self._state is Breaker.OPEN:
            return now >= self._until
        return now - self._probing > PROBE_S

    def view(self) -> HealthView:
        """What there is to show of it."""
        lately = self._lately(time.monotonic())
        spent = [ms for _, ok, ms in lately if ok and ms]
        rate = sum(not ok for _, ok, _ in lately) / len(lately) if lately else None
        return HealthView(
            state=self._state if lately or self._state is not Breaker.CLOSED else "unknown",
            since=self._since,
            calls=len(lately),
            error_rate=None if rate is None else round(rate, 3),
            p50_ms=round(median(spent)) if spent else None,
            last_error=self._last_error,
            last_error_at=self._last_error_at,
        )

    def worked(self, ms: int | None) -> None:
        """Remember an answer, whose first piece came ``ms`` after it was asked for."""
        if self._state is not Breaker.CLOSED:
            self._pause = PAUSE_S
            self._seen.clear()  # what opened it is over, and must not open it again at the next stumble
            self._enter(Breaker.CLOSED)
        self._seen.append((time.monotonic(), True, ms or 0))

    def _too_many(self, now: float) -> bool:
        lately = self._lately(now)
        return len(lately) >= LEAST_CALLS and sum(not ok for _, ok, _ in lately) / len(lately) >= FAILURE_RATE

    def _lately(self, now: float) -> list[tuple[float, bool, int]]:
        return [one for one in self._seen if one[0] > now - WINDOW_S]

    def _open(self, now: float) -> None:
        self._until = now + self._pause
        self._enter(Breaker.OPEN)

    def _enter(self, state: Breaker) -> None:
        self._state, self._since = state, clock.now()

    def _cool(self, model: str, until: float) -> None:
        if len(self._cooling) >= _MOST_MODELS:
            del self._cooling[next(iter(self._cooling))]
        self._cooling[model] = until
