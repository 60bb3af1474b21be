"""One stream of events per page: ``/o/<org>/live?topics=requests,proposals``.

A page registers topics with ``@topic``; a topic asks the gateway and says what to show and how to tell one state from
the next. The stream asks each topic at its own pace and sends only what changed, as a named event whose data is HTML:
an element with ``sse-swap="requests"`` inside ``<main>`` takes it. Streams end after five minutes and the browser comes
back with ``Last-Event-ID``, which says what it has seen.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from console.gateway import ApiError, GatewayDown
from console.pages import page
from console.rendering import fragment
from console.requests import PageRequest

HEARTBEAT_S = 15.0
LONGEST_S = 300.0
_TICK_S = 0.25
_AFTER_TROUBLE_S = 5.0
_MOST_TOPICS = 6


@dataclass(frozen=True, slots=True)
class Update:
    """What a topic shows now. The same fingerprint means: nothing changed, send nothing."""

    fingerprint: str
    html: str


Load = Callable[[PageRequest], Awaitable[Update]]


@dataclass(frozen=True, slots=True)
class Topic:
    name: str
    load: Load
    action: str
    every: float


_topics: dict[str, Topic] = {}


def topic(name: str, *, action: str = "", every: float = 0.5) -> Callable[[Load], Load]:
    """Register a topic. ``action`` is what a person needs for it; ``every`` is the pace in seconds: each round is a
    call of the API, so choose the slowest that still feels live."""

    def register(load: Load) -> Load:
        _topics[name] = Topic(name, load, action, every)
        return load

    return register


def updated(request: PageRequest, template: str, context: dict[str, Any], fingerprint: str | None = None) -> Update:
    """The usual update: a partial; without a fingerprint the HTML itself tells states apart."""
    html = fragment(request, template, context)
    return Update(fingerprint or hashlib.sha256(html.encode()).hexdigest()[:12], html)


@page(methods=("GET",))
async def live(request: PageRequest) -> HttpResponseBase:
    """The stream. 204 tells the browser that there is nothing to listen to."""
    names = request.GET.get("topics", "").split(",")[:_MOST_TOPICS]
    wanted = [_topics[name] for name in dict.fromkeys(names) if name in _topics]
    allowed = [one for one in wanted if not one.action or request.permissions.may(one.action)]
    if not allowed:
        return HttpResponse(status=204)
    response = StreamingHttpResponse(_events(request, allowed), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def _events(request: PageRequest, topics: list[Topic]) -> AsyncIterator[str]:
    ends = time.monotonic() + LONGEST_S
    seen = _seen(request.headers.get("Last-Event-ID", ""))
    due = {one.name: 0.0 for one in topics}
    spoke = time.monotonic()
    yield "retry: 2000\n\n"
    while (now := time.monotonic()) < ends:
        for one in topics:
            if due[one.name] > now:
                continue
            due[one.name] = now + one.every
            try:
                update = await one.load(request)
            except ApiError as error:
                if error.status == 401:
                    yield "event: ended\ndata:\n\n"
                    return
                due[one.name] = now + max(error.retry_after or 0.0, _AFTER_TROUBLE_S)
                continue
            except GatewayDown:
                due[one.name] = now + _AFTER_TROUBLE_S
                continue
            if seen.get(one.name) != update.fingerprint:
                seen[one.name] = update.fingerprint
                spoke = time.monotonic()
                yield _event(one.name, update.html, seen)
        request.api_calls.clear()
        if time.monotonic() - spoke >= HEARTBEAT_S:
            spoke = time.monotonic()
            yield ": ping\n\n"
        await asyncio.sleep(_TICK_S)


def _event(name: str, html: str, seen: dict[str, str]) -> str:
    data = "\n".join(f"data: {line}" for line in html.strip().splitlines())
    position = ",".join(f"{topic}:{fingerprint}" for topic, fingerprint in seen.items())
    return f"event: {name}\nid: {position}\n{data or 'data:'}\n\n"


def _seen(position: str) -> dict[str, str]:
    """The fingerprints of a ``Last-Event-ID``; anything else of it is ignored."""
    pairs = (part.split(":", 1) for part in position[:500].split(",") if ":" in part)
    return {name: fingerprint for name, fingerprint in pairs if name in _topics}
