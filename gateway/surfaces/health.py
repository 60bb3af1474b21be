"""Liveness without dependencies, readiness with a reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from django.http import HttpRequest, JsonResponse

from gateway.core.errors import GatewayError
from gateway.platform.admission import gate
from tenants.context import in_public
from tenants.directory import directory
from tenants.selectors import directory_version


async def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the process serves at all."""
    return JsonResponse({"status": "ok"})


async def readyz(request: HttpRequest) -> JsonResponse:
    """200 when database, store and key directory are there; else 503 that names what is not."""
    checks: dict[str, Any] = {}
    asked: tuple[tuple[str, Callable[[], Awaitable[Any]]], ...] = (
        ("database", lambda: in_public(directory_version)),
        ("store", gate.read_epoch),
        ("directory", _fresh),
    )
    for name, check in asked:
        try:
            await check()
            checks[name] = "ok"
        except GatewayError as error:
            checks[name] = error.detail
    ready = all(state == "ok" for state in checks.values())
    response = JsonResponse(
        {"status": "ready" if ready else "not ready", "checks": checks}, status=200 if ready else 503
    )
    if not ready:
        response["Retry-After"] = "2"
    return response


async def _fresh() -> None:
    directory.require_fresh()
