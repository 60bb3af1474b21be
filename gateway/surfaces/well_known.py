"""What stands under ``/.well-known``: operations of the API at an address that whoever holds their results can
guess."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import get_resolver


async def receipt_keys(request: HttpRequest) -> HttpResponse:
    """``GET /v1/receipts/keys``, through the same spine."""
    view = get_resolver().resolve("/v1/receipts/keys").func
    answer: HttpResponse = await view(request)
    return answer
