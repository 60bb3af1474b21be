"""Taking hold of a call's bodies without touching them: the only cost to a request whose organization keeps none is one
look at its settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from django.http import HttpRequest, HttpResponse

from gateway.core.endpoint import Call, Endpoint, Metering, Scope
from gateway.surfaces import sse
from gateway.surfaces.bodies.writing import Taken, put

# What of a request's headers makes it that request, beside its body.
ADDRESSING = (
    "x-persona-id", "x-subject-id", "x-memory-scopes", "x-persona-mode", "anthropic-version", "anthropic-beta",
)  # fmt: skip


def wanted(call: Call, endpoint: Endpoint) -> bool:
    """Whether this organization keeps the bodies of its model calls."""
    return (
        endpoint.metering is Metering.CALL
        and endpoint.scope is Scope.CHAT
        and call.principal is not None
        and call.principal.organization.settings.store_bodies
    )


def keep(call: Call, request: HttpRequest, response: Any) -> HttpResponse:
    """The answer as it was, its body and the request's noted on the way. A call that was refused before a lease was
    opened leaves none."""
    lease = getattr(call.admission, "lease", None)
    if lease is None or call.body_days == 0:
        return response  # type: ignore[no-any-return]
    taken = Taken(
        organization=call.principal.organization,
        request_id=call.request_id,
        path=request.path,
        headers={name: request.headers[name] for name in ADDRESSING if name in request.headers},
        request=request.body,
        persona_id=lease.facts.get("persona_id"),
        subject_id=lease.facts.get("subject_id"),
        days=call.body_days,
        mode=call.body_mode,
    )
    taken.content_type = response.get("Content-Type", "")
    if getattr(response, "streaming", False):
        response._iterator = _noted(response._iterator, taken)
    else:
        taken.add(response.content)
        put(taken)
    return response  # type: ignore[no-any-return]


async def _noted(chunks: AsyncIterator[bytes], taken: Taken) -> AsyncIterator[bytes]:
    """The chunks as they come. However they end, what was sent is what is kept."""
    try:
        async with aclosing(chunks) as sent:  # type: ignore[type-var]
            async for chunk in sent:
                if chunk is not sse.HEARTBEAT:
                    taken.add(chunk)
                yield chunk
    finally:
        put(taken)
