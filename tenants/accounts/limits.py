"""Throttling: where the counts are kept, and how a refusal says when it ends.

Allauth counts attempts in Django's cache; ours is Valkey, so all processes count together. Its refusal carries no
time, so the cache remembers which limit this thread read last: that is the one that refused.
"""

from __future__ import annotations

import json
import math
import time
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.cache.backends.redis import RedisCache
from django.http import JsonResponse

_PREFIX = "allauth:rl:"
_LOCKING = frozenset({"login_failed", "enter_code"})
_read: ContextVar[tuple[str, list[float]] | None] = ContextVar("limit_read", default=None)


class Json:
    """Values of the cache as JSON: whoever could write into the store must not be able to run code here."""

    def dumps(self, value: Any) -> bytes | int:
        return value if type(value) is int else json.dumps(value).encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


class LimitCache(RedisCache):
    """Django's Redis cache, noting the rate limit that was read last."""

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        value = super().get(key, default, version)
        if key.startswith(_PREFIX):
            _read.set((key, list(value or [])))
        return value


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an attempt was refused and until when (seconds since the epoch)."""

    code: str
    until: float

    @property
    def message(self) -> str:
        if self.code == "locked_out":
            return "Too many failed attempts. Try again when the lockout ends."
        return "Too many requests. Try again shortly."


def forget() -> None:
    """Begin a request: nothing was read yet."""
    _read.set(None)


def last_refusal() -> Refusal:
    """The limit that refused just now. Without one (a lock that was not got in time), a second from now."""
    read = _read.get()
    now = time.time()
    if read is None:
        return Refusal("too_many_requests", now + 1)
    key, history = read
    _, _, _, action, rate = key.split(":")[:5]
    amount, duration, _ = rate.split("/")
    code = "locked_out" if action in _LOCKING else "too_many_requests"
    # The window slides: it opens when the attempt that fills it grows older than its length.
    oldest = history[int(amount) - 1] if len(history) >= int(amount) else now - float(duration) + 1
    return Refusal(code, max(oldest + float(duration), now + 1))


def refused(refusal: Refusal) -> JsonResponse:
    """429 in the shape of the headless API, with the end of the wait in the header and, exactly, in the body."""
    until = datetime.fromtimestamp(math.ceil(refusal.until), UTC)
    error = {"code": refusal.code, "message": refusal.message, "until": until.isoformat().replace("+00:00", "Z")}
    response = JsonResponse({"status": 429, "errors": [error]}, status=429)
    response["Retry-After"] = str(max(1, math.ceil(refusal.until - time.time())))
    response["Cache-Control"] = "no-store"
    return response
