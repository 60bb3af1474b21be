"""Whether this process answers, and whether it reaches its gateway."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse

from console.gateway import GatewayDown, http


async def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


async def readyz(request: HttpRequest) -> JsonResponse:
    """The gateway answers too."""
    try:
        response, _ = await http.exchange("GET", "/healthz", timeout=3.0)
    except GatewayDown as error:
        return JsonResponse({"status": "unavailable", "gateway": error.reason}, status=503)
    ready = response.status_code == 200
    return JsonResponse({"status": "ok" if ready else "unavailable"}, status=200 if ready else 503)
