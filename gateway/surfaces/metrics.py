"""``/metrics`` for Prometheus: what this process counted, what it holds, and what its siblings on the same port told.

Whoever scrapes a port that several processes share gets a different one each time. So every one of them leaves its
figures in the store every few seconds, and each answer holds all of them, labelled with their process.

With IKIRO_METRICS_TOKEN the scraper sends it as a bearer token. Without one, only a scraper on this machine is
answered, and nothing that a proxy handed on.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import socket
import time
from collections.abc import Awaitable, Callable

from django.conf import settings
from django.db import connections
from django.http import HttpRequest, HttpResponse, JsonResponse

from gateway.core.errors import Unavailable
from gateway.platform.admission import gate, services
from gateway.platform.admission.journal import journal
from gateway.platform.ledger.names import usage_stream
from gateway.platform.providers import registry
from gateway.platform.providers.health import Breaker
from gateway.platform.telemetry import outlets
from gateway.platform.telemetry.families import Family, Sample, exposition, from_plain
from gateway.platform.telemetry.memories import memories
from gateway.platform.telemetry.metrics import metrics as counted
from tenants.directory import directory

_SHARED = "metrics:web"
_SHARE_EVERY_S, _BELIEVED_S = 5.0, 30.0
_FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "::ffff:127.0.0.1"})
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


async def metrics(request: HttpRequest) -> HttpResponse:
    """The exposition, or 401/403 for whoever may not see it."""
    refused = _refusal(request)
    if refused is not None:
        return refused
    everything = {process(): [*await _store_families(), *own()]}
    everything.update(await _siblings())
    return HttpResponse(exposition(everything), content_type=_TEXT)


def process() -> str:
    """This process's name among those of the installation."""
    return f"{socket.gethostname()}:{os.getpid()}"


def own() -> list[Family]:
    """What this process counted and holds, without any I/O."""
    return [*counted.families(), *memories.families(), *outlets.families(), *_held(), *_pool(), *_breakers()]


def background_loops() -> dict[str, Callable[[], Awaitable[None]]]:
    """What a web process runs so that its siblings can tell its figures: nothing where it has none."""
    return {"metrics": _share} if settings.IKIRO_WEB_PROCESSES > 1 else {}


def _refusal(request: HttpRequest) -> HttpResponse | None:
    if settings.IKIRO_METRICS_TOKEN:
        given = request.META.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
        if hmac.compare_digest(given.encode(), settings.IKIRO_METRICS_TOKEN.encode()):
            return None
        answer = JsonResponse({"code": "metrics_token_required"}, status=401)
        answer["WWW-Authenticate"] = 'Bearer realm="metrics"'
        return answer
    near = request.META.get("REMOTE_ADDR") in _LOOPBACK and not any(name in request.META for name in _FORWARDED)
    return None if near else JsonResponse({"code": "metrics_local_only"}, status=403)


def _held() -> list[Family]:
    changed = directory.loaded_at
    return [
        _gauge("ikiro_leases_open", "Model calls under way, as admission counts them.", len(services.keeper())),
        _gauge("ikiro_journal_bytes", "Settlements waiting for the store to come back.", journal().size),
        _gauge("ikiro_directory_version", "The directory version that is obeyed here.", directory.version),
        _gauge(
            "ikiro_directory_age_seconds", "Seconds since the directory last changed here.",
            time.monotonic() - changed if changed is not None else 0.0,
        ),
    ]  # fmt: skip


def _pool() -> list[Family]:
    pool = connections["default"].pool  # type: ignore[attr-defined]
    figures = pool.get_stats() if pool is not None else {}
    samples: list[Sample] = [
        ("", {"state": state}, float(figures.get(name, 0)))
        for state, name in (("open", "pool_size"), ("idle", "pool_available"), ("wanted", "requests_waiting"))
    ]
    return [Family("ikiro_db_connections", "gauge", "The database pool: open, idle, and callers waiting.", samples)]


def _breakers() -> list[Family]:
    """The operator's own providers only: an organization's are its own business, and without number."""
    samples: list[Sample] = []
    for name, entry in sorted(registry.platform().entries.items()):
        state = entry.health.view().state
        samples += [("", {"provider": name, "state": one.value}, float(one.value == state)) for one in Breaker]
    return [Family("ikiro_breaker_state", "gauge", "1 for the state that a provider's breaker is in.", samples)]


async def _store_families() -> list[Family]:
    """What waits in the store, which is the same for every process; told by the one that is asked."""
    try:
        lengths = await asyncio.gather(
            *(gate.store().execute("XLEN", usage_stream(shard)) for shard in range(settings.IKIRO_SHARDS))
        )
    except Unavailable:
        return [_gauge("ikiro_store_up", "Whether the state store answers.", 0)]
    return [
        _gauge("ikiro_store_up", "Whether the state store answers.", 1),
        _gauge("ikiro_usage_backlog", "Entries on their way to the ledger.", sum(map(int, lengths))),
    ]


async def _share() -> None:
    while True:
        await asyncio.sleep(_SHARE_EVERY_S)
        told = json.dumps({"at": time.time(), "families": [family.plain() for family in own()]})
        await gate.store().execute("HSET", _SHARED, process(), told)


async def _siblings() -> dict[str, list[Family]]:
    """What the other processes told lately. Who has been silent for long is taken out."""
    if settings.IKIRO_WEB_PROCESSES <= 1:
        return {}
    try:
        told = await gate.store().execute("HGETALL", _SHARED)
        pairs = {_text(told[at]): json.loads(told[at + 1]) for at in range(0, len(told), 2)}
        gone = [name for name, one in pairs.items() if time.time() - one["at"] > _BELIEVED_S]
        if gone:
            await gate.store().execute("HDEL", _SHARED, *gone)
    except Unavailable:
        return {}
    return {name: from_plain(one["families"]) for name, one in pairs.items() if name not in (*gone, process())}


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _gauge(name: str, about: str, number: float) -> Family:
    return Family(name, "gauge", about, [("", {}, float(number))])
