"""How much a key is used, and who still uses its former secret: counters in the store, written by each worker every few
seconds for all of its keys at once, never by a request.

Hours are those since the epoch. What is told of callers is bounded and blurred: addresses by network (``/24``,
``/48``), user agents cut short, the latest few.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from gateway.core import clock, ids
from gateway.core.errors import Unavailable
from gateway.core.valkey import Script, Valkey
from tenants.types import ApiKey

_HOUR_S = 3_600
_DAY_H = 24
_MAX_CALLERS = 20
_MAX_AGENT = 120
# An old secret is told of for a day after its grace, which itself can be extended.
_OLD_TTL_S = 40 * 86_400
_CALLS = Script(
    "key_calls",
    """
redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])
for _, hour in ipairs(redis.call('HKEYS', KEYS[1])) do
  if tonumber(hour) < tonumber(ARGV[1]) - 25 then redis.call('HDEL', KEYS[1], hour) end
end
redis.call('EXPIRE', KEYS[1], 93600)
return 1
""",
)
# Fields: ``h:<hour>`` calls, ``at`` the last one (ms), ``c:<caller>`` calls, ``t:<caller>`` the last one of each.
_OLD = Script(
    "key_old_secret",
    """
local hour, at, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local known = {}
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(name, 1, 2) == 'h:' and tonumber(string.sub(name, 3)) < hour - 25 then
    redis.call('HDEL', KEYS[1], name)
  elseif string.sub(name, 1, 2) == 't:' then
    known[#known + 1] = name
  end
end
local count = #known
for index = 5, #ARGV, 2 do
  local caller, calls = ARGV[index], tonumber(ARGV[index + 1])
  redis.call('HINCRBY', KEYS[1], 'h:' .. hour, calls)
  if redis.call('HEXISTS', KEYS[1], 't:' .. caller) == 0 then
    if count >= most then
      local oldest, when = nil, nil
      for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
        if string.sub(name, 1, 2) == 't:' then
          local seen = tonumber(redis.call('HGET', KEYS[1], name))
          if when == nil or seen < when then oldest, when = name, seen end
        end
      end
      redis.call('HDEL', KEYS[1], oldest, 'c:' .. string.sub(oldest, 3))
    else
      count = count + 1
    end
  end
  redis.call('HSET', KEYS[1], 't:' .. caller, at)
  redis.call('HINCRBY', KEYS[1], 'c:' .. caller, calls)
end
local last = tonumber(redis.call('HGET', KEYS[1], 'at') or '0')
if at > last then redis.call('HSET', KEYS[1], 'at', at) end
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
""",
)


@dataclass(slots=True)
class Noted:
    """What one worker saw of one key since it wrote last. ``callers`` counts calls with the former secret by
    ``(network, user agent)``."""

    key: ApiKey
    at: datetime
    calls: int = 0
    callers: dict[tuple[str, str], int] = field(default_factory=dict)

    def count(self, at: datetime, calls: int = 1) -> None:
        """So many more calls, the last of them at this moment."""
        self.at, self.calls = max(self.at, at), self.calls + calls

    def count_old(self, address: str, agent: str) -> None:
        """The call just counted had the former secret."""
        caller = _network(address), agent[:_MAX_AGENT]
        if caller in self.callers or len(self.callers) < _MAX_CALLERS:
            self.callers[caller] = self.callers.get(caller, 0) + 1


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who uses a former secret: a network and a user agent."""

    network: str
    user_agent: str
    calls: int
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class Use:
    """``None`` where it cannot be known, because the store is away."""

    calls_24h: int | None = None
    old_calls_24h: int | None = None
    old_last_used_at: datetime | None = None
    callers: tuple[Caller, ...] = ()


async def write(store: Valkey, noted: Iterable[Noted]) -> None:
    """Add what was noted. Raises Unavailable."""
    await store.ready()
    sent = []
    for one in noted:
        hour = int(one.at.timestamp()) // _HOUR_S
        sent.append(store.submit_script(_CALLS, [_calls_name(one.key.id)], [hour, one.calls]))
        if one.callers:
            told: list[Any] = [hour, round(one.at.timestamp() * 1000), _MAX_CALLERS, _OLD_TTL_S]
            for caller, calls in one.callers.items():
                told += [json.dumps(caller), calls]
            sent.append(store.submit_script(_OLD, [_old_name(one.key)], told))
    await asyncio.gather(*sent)


async def read(store: Valkey, keys: Sequence[ApiKey]) -> list[Use]:
    """What is known of each key, all at once. Raises Unavailable."""
    await store.ready()
    calls = [store.submit("HGETALL", _calls_name(key.id)) for key in keys]
    old = [store.submit("HGETALL", _old_name(key)) for key in keys]
    found = await asyncio.gather(*calls, *old)
    pairs = [dict(zip(flat[::2], flat[1::2], strict=True)) for flat in found]
    return [_use(of_calls, of_old) for of_calls, of_old in zip(pairs[: len(keys)], pairs[len(keys) :], strict=True)]


async def glance(store: Valkey, keys: Sequence[ApiKey]) -> list[Use]:
    """``read`` for who can do without: a store that is away knows nothing of any key."""
    try:
        return await read(store, keys)
    except Unavailable:
        return [Use() for _ in keys]


def _use(calls: dict[bytes, bytes], old: dict[bytes, bytes]) -> Use:
    since = int((clock.now() - timedelta(hours=_DAY_H)).timestamp()) // _HOUR_S
    callers = [
        Caller(network, agent, int(old.get(b"c:" + name[2:], b"0")), _moment(seen))
        for name, seen in old.items()
        if name.startswith(b"t:")
        for network, agent in (json.loads(name[2:]),)
    ]
    return Use(
        calls_24h=sum(int(count) for hour, count in calls.items() if int(hour) > since),
        old_calls_24h=sum(int(n) for name, n in old.items() if name.startswith(b"h:") and int(name[2:]) > since),
        old_last_used_at=_moment(old[b"at"]) if b"at" in old else None,
        callers=tuple(sorted(callers, key=lambda one: one.last_seen_at, reverse=True)),
    )


def _moment(milliseconds: bytes) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def _calls_name(key_id: UUID) -> str:
    return f"keys:calls:{ids.base32(key_id)}"


def _old_name(key: ApiKey) -> str:
    """One for each rotation: the secret before that one is another matter."""
    rotated = round(key.rotated_at.timestamp() * 1000) if key.rotated_at is not None else 0
    return f"keys:old:{ids.base32(key.id)}:{rotated}"


def _network(address: str) -> str:
    try:
        bits = 24 if ipaddress.ip_address(address).version == 4 else 48
        return str(ipaddress.ip_network(f"{address}/{bits}", strict=False))
    except ValueError:
        return ""
