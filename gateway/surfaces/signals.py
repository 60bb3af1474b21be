"""What each request leaves for its operator: its metrics, its span, the ids of its log lines, and the product events
about refusals. The spine calls ``begin`` and ``end``; neither ever fails a request."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from django.http import HttpRequest, HttpResponse

from gateway.core import ids, serving
from gateway.core.endpoint import Call
from gateway.core.errors import GatewayError, RateLimited, Unauthenticated
from gateway.platform.telemetry import events, tracing
from gateway.platform.telemetry.metrics import Operation, metrics
from tenants.authentication import KeyRefused
from tenants.types import Principal

# Whose refusals count as a limit's beside every 429.
_LIMITS = frozenset({"quota_exceeded", "budget_exceeded", "memory_operations_exceeded", "budget_unknown"})
_EXPIRED = frozenset({"key_expired", "token_expired", "session_ended", "session_expired"})


def operation(surface: str, view: Any) -> Operation:
    """The counters of one operation, to be kept by whoever serves it."""
    return metrics.operation(surface, view.__name__)


def begin(call: Call, request: HttpRequest, route: str) -> None:
    """A request has arrived. Its log lines know it from here on; ``route`` is the operation's path, never the URL."""
    serving.call.set(call)
    if tracing.recording() or "HTTP_TRACEPARENT" in request.META:
        tracing.serve(call, request.META, str(request.method), route)
        task = asyncio.current_task()
        if call.trace is not None and task is not None:
            task.add_done_callback(lambda _: _cut_off(call))


def end(call: Call, counters: Operation, response: HttpResponse) -> HttpResponse:
    """The answer's head is ready. The span of a streamed answer goes on until its last chunk."""
    status = response.status_code
    counters.done(status, time.monotonic() - call.began)
    if call.failure is not None:
        _refused(call, call.failure)
    if call.trace is not None:
        if response.streaming:
            streamed: Any = response
            streamed.streaming_content = tracing.follow(call, status, streamed._iterator)
        else:
            tracing.finish(call, status)
    return response


def unrouted(call: Call, response: HttpResponse) -> HttpResponse:
    """An answer that no operation gave is counted as well, under one name for all."""
    metrics.operation(call.surface, "none").done(response.status_code, time.monotonic() - call.began)
    return response


def _cut_off(call: Call) -> None:
    """The client went away before its answer: the span says so instead of staying open."""
    if call.trace is not None:
        tracing.finish(call, 499)


def _refused(call: Call, error: Any) -> None:
    principal: Principal | None = call.principal
    if not isinstance(error, GatewayError):
        return
    limit = error.extra.get("limit")
    if isinstance(error, RateLimited) or error.code in _LIMITS:
        metrics.refused(error.code, str(limit.get("scope", "")) if isinstance(limit, dict) else "")
    if isinstance(error, Unauthenticated):
        owner = ids.public("org", error.key.org_id) if isinstance(error, KeyRefused) else None
        events.emit("gateway_auth_failed", org_id=owner, reason="expired" if error.code in _EXPIRED else "invalid")
    elif isinstance(error, RateLimited) and principal is None:
        events.emit("gateway_auth_failed", org_id=None, reason="rate_limited")
    elif isinstance(error, RateLimited) and principal is not None and isinstance(limit, dict):
        most, left = int(limit.get("limit") or 0), int(limit.get("remaining") or 0)
        events.emit(
            "gateway_rate_limited",
            org_id=principal.ref.public_id,
            tier=principal.organization.plan,
            limit=most,
            current_usage=max(0, most - left),
        )
