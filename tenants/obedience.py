"""Proof of what every web process obeys: each reports the directory version it has loaded, and since when.

A worker writes to the store with every poll of the epoch, on the store's clock: that it is there, and, when it has
loaded a newer version, since when. So of a change that took version V it can be told, worker by worker, when each
began to obey it. A worker that ends says so; one that dies or is cut off stays in the list as not seen until
``_KEPT_MS`` have passed, by when it has long stopped to decide anything (``Directory.require_fresh``).
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.core.valkey import Script, Valkey

_KEPT_MS = 60_000
# A worker that has not reported for so long is shown as not obeying, whatever it said before.
_SEEN_MS = 5_000
_HISTORY = 1_000
_WORKERS = "directory:workers"
_REPORT = Script(
    "directory_report",
    """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])
local last = redis.call('LINDEX', KEYS[2], 0)
if not last or tonumber(string.match(last, '^%d+')) < tonumber(ARGV[2]) then
  redis.call('LPUSH', KEYS[2], ARGV[2] .. ':' .. now)
  redis.call('LTRIM', KEYS[2], 0, ARGV[4] - 1)
end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return now
""",
)


@dataclass(frozen=True, slots=True)
class Obeyed:
    """One worker and one version. ``obeyed_at`` is when it began to obey, None while it does not, or when that is too
    long ago to be known; ``from_start`` says that it has known nothing older."""

    worker: str
    version: int
    obeys: bool
    obeyed_at: datetime | None
    from_start: bool
    seen_at: datetime


class Reporter:
    """This process towards the store."""

    def __init__(self) -> None:
        self._pid, self.worker = 0, ""

    async def report(self, store: Valkey, version: int) -> None:
        """Say which version is obeyed now. Raises Unavailable."""
        if version < 0:
            return
        if self._pid != os.getpid():  # the first report, or a process that was forked off
            self._pid, self.worker = os.getpid(), f"web-{secrets.token_hex(4)}"
        await store.script(_REPORT, [_WORKERS, _log(self.worker)], [self.worker, version, _KEPT_MS, _HISTORY])

    async def leave(self, store: Valkey) -> None:
        """Say that this process decides no more. Raises Unavailable."""
        if not self.worker:
            return
        await store.execute("ZREM", _WORKERS, self.worker)
        await store.execute("DEL", _log(self.worker))


async def of_version(store: Valkey, version: int) -> list[Obeyed]:
    """Every worker that there is, and whether and since when it obeys the directory as of ``version``. Raises
    Unavailable."""
    seconds, micros = await store.execute("TIME")
    now = int(seconds) * 1000 + int(micros) // 1000
    seen = await store.execute("ZRANGE", _WORKERS, 0, -1, "WITHSCORES")
    found = []
    for name, at in zip(seen[::2], seen[1::2], strict=True):
        if int(float(at)) < now - _KEPT_MS:
            continue
        log = await store.execute("LRANGE", _log(name.decode()), 0, -1)
        found.append(_judged(name.decode(), version, int(float(at)), [_entry(one) for one in log], now))
    return found


def _judged(worker: str, version: int, seen_ms: int, log: list[tuple[int, int]], now_ms: int) -> Obeyed:
    """``log`` is newest first. The oldest entry that is new enough is when obeying began; if nothing older is left, it
    began there or before."""
    enough = [entry for entry in log if entry[0] >= version]
    cut_off = len(log) >= _HISTORY and len(enough) == len(log)
    return Obeyed(
        worker=worker,
        version=log[0][0] if log else 0,
        obeys=bool(enough) and now_ms - seen_ms <= _SEEN_MS,
        obeyed_at=_moment(enough[-1][1]) if enough and not cut_off else None,
        from_start=bool(enough) and len(enough) == len(log) and not cut_off,
        seen_at=_moment(seen_ms),
    )


def _entry(text: bytes) -> tuple[int, int]:
    version, _, at = text.partition(b":")
    return int(version), int(at)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _log(worker: str) -> str:
    return f"directory:worker:{worker}"
