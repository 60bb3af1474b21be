"""The console's middleware: Django's own checks without a thread per step, and the visit each page works with.

Django runs the synchronous half of its middleware in a thread, four hops a request. These only read headers and
write them, so they may run where they are called.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.cache import patch_vary_headers

from console import session

_PAGE_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


class _InPlace:
    """Runs the synchronous steps of a Django middleware on the event loop."""

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        before: Any = getattr(self, "process_request", None)
        after: Any = getattr(self, "process_response", None)
        response = before(request) if before else None
        response = response or await self.get_response(request)  # type: ignore[attr-defined]
        return after(request, response) if after else response  # type: ignore[no-any-return]


class Security(_InPlace, SecurityMiddleware):
    """Django's security headers, and ``X-Frame-Options`` for what does not know ``frame-ancestors``."""

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        response = super().process_response(request, response)
        response.headers.setdefault("X-Frame-Options", "DENY")
        return response


class ContentSecurityPolicy(_InPlace, CSPMiddleware):
    """django-csp; the policy is ``settings.CONTENT_SECURITY_POLICY``, the same on every page."""


class Csrf(_InPlace, CsrfViewMiddleware):
    """Django's check; its cookie is Secure exactly when the page came over https."""

    async def process_view(self, *arguments: Any) -> HttpResponse | None:  # type: ignore[override]  # Django awaits it
        return super().process_view(*arguments)

    def _set_csrf_cookie(self, request: HttpRequest, response: HttpResponseBase) -> None:
        response.set_cookie(
            settings.CSRF_COOKIE_NAME,
            request.META["CSRF_COOKIE"],
            max_age=settings.CSRF_COOKIE_AGE,
            secure=request.is_secure(),
            httponly=True,
            samesite="Lax",
        )
        patch_vary_headers(response, ("Cookie",))


class Visit:
    """Gives each request its page id, the sealed session and an empty record of calls; writes changes back."""

    async_capable, sync_capable = True, False

    def __init__(self, get_response: Any) -> None:
        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    async def __call__(self, request: Any) -> HttpResponseBase:
        request.started_at = time.perf_counter()
        request.get_host()  # refuses a host that is not ours before anything is built from it
        if "\x00" in request.path or "\x00" in request.META.get("QUERY_STRING", ""):
            raise SuspiciousOperation("The address holds a null byte.")
        given = request.headers.get("X-Request-Id", "")
        request.page_id = given if _PAGE_ID.fullmatch(given) else f"page_{secrets.token_hex(10)}"
        request.api_calls = []
        request.visit = session.read(request)
        response: HttpResponseBase = await self._get_response(request)
        session.write(request, response)
        response.headers.setdefault("X-Request-Id", request.page_id)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response
