"""The exact response cache: the same bytes asked again of the same models are answered with the same bytes, at no cost.

Opt-in, by key or by alias. Only complete answers of pass-through calls are kept, for the organization that asked alone,
sealed, for as long as key or alias says and the flag ``cache-llm-response-ttl-seconds`` allows. What the caller may use
is decided before the cache is asked and is part of the entry's name. A persona's turn is never cached: it recalls and
proposes. A cache store that is away is a miss.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from django.conf import settings

from gateway.core import crypto
from gateway.core.crypto import Secret
from gateway.core.endpoint import Call
from gateway.core.errors import GatewayError
from gateway.core.valkey import CommandFailed, StoreUnavailable, Valkey, connection
from gateway.engine.routing import Plan
from gateway.platform.flags import catalogue
from gateway.platform.providers.types import Forwarded, Shape, Tally, TokenUsage

log = structlog.get_logger(__name__)
MOST_BYTES = 256 * 1024
_ENABLED, _LONGEST = "cache-response-enabled", "cache-llm-response-ttl-seconds"
_REFUSED = ("no-store", "no-cache")
_AWAY = (StoreUnavailable, CommandFailed, OSError)
_store: tuple[asyncio.AbstractEventLoop, Valkey] | None = None


class _Stored(msgspec.Struct, array_like=True):
    body: bytes
    content_type: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cache_write_tokens: int


_encode, _decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(_Stored).decode


@dataclass(frozen=True, slots=True)
class Hit:
    """A kept answer: ``model`` (full name) gave it, and ``usage`` is what it used then."""

    forwarded: Forwarded
    model: str
    usage: TokenUsage


@dataclass(frozen=True, slots=True)
class Slot:
    """Where one request's answer is kept, and for how many seconds."""

    call: Call
    name: str
    ttl_s: int

    async def get(self) -> Hit | None:
        """The kept answer; None when there is none, or none that can be read."""
        try:
            raw = await _connection().execute("GET", self.name)
            return None if raw is None else self._opened(bytes(raw))
        except _AWAY:
            self.call.decided("cache", "degraded", code="store_unavailable")
        except (crypto.Unreadable, GatewayError, ValueError) as error:
            log.info("response_cache.unreadable", error=type(error).__name__)
        return None

    async def put(self, body: bytes, forwarded: Forwarded, model: str) -> None:
        """Keep a complete answer whose use is known."""
        usage = forwarded.usage
        if usage is None or not forwarded.finished or len(body) > MOST_BYTES:
            return
        kind = forwarded.headers.get("content-type", "application/json")
        counts = (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.cache_write_tokens)
        text = Secret(base64.b64encode(_encode(_Stored(body, kind, model, *counts))).decode())
        sealed, kid = crypto.seal(text, *self._place())
        try:
            await _connection().execute("SET", self.name, kid.encode() + b"\0" + sealed, "EX", self.ttl_s)
        except _AWAY as error:
            log.info("response_cache.not_kept", error=type(error).__name__)

    def _opened(self, raw: bytes) -> Hit:
        kid, _, sealed = raw.partition(b"\0")
        text = crypto.unseal(sealed, kid.decode(), *self._place()).reveal()
        kept = _decode(base64.b64decode(text))
        usage = TokenUsage(kept.prompt_tokens, kept.completion_tokens, kept.cached_tokens, kept.cache_write_tokens)
        forwarded = Forwarded(kept.body, None, {"content-type": kept.content_type}, Tally(usage, finished=True))
        return Hit(forwarded, kept.model, usage)

    def _place(self) -> tuple[Any, ...]:
        return (self.call.principal.ref.id, "response_cache", self.name)


def slot(call: Call, plan: Plan, body: bytes, *, stream: bool, shape: Shape, cache_control: str | None) -> Slot | None:
    """Where this request's answer may be kept; None where nobody opted in or somebody opted out."""
    principal = call.principal
    key = principal.key
    asked = [one for one in (key.cache_s if key is not None else None, plan.cache_s) if one]
    if not asked or any(word in (cache_control or "").lower() for word in _REFUSED):
        return None
    organization = principal.organization
    longest = int(catalogue.value(organization, _LONGEST) or 0)
    if not catalogue.value(organization, _ENABLED) or longest <= 0:
        return None
    name = hashlib.sha256()
    for part in (principal.ref.id.bytes, shape.encode(), b"s" if stream else b"w", "\n".join(plan.allowed).encode()):
        name.update(len(part).to_bytes(4) + part)
    name.update(plan.asked.encode() + b"\0" + body)
    return Slot(call, f"rc:{name.hexdigest()}", min(*asked, longest))


def _connection() -> Valkey:
    global _store
    loop = asyncio.get_running_loop()
    if _store is None or _store[0] is not loop:
        _store = loop, connection(settings.IKIRO_CACHE_URL)
    return _store[1]
