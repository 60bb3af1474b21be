"""What every answer of the account lane has in common: JSON errors, honest throttling, 503 for trouble of ours."""

from __future__ import annotations

import smtplib
from collections.abc import Callable

import redis
import structlog
from django.conf import settings
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from psycopg_pool import PoolTimeout

from gateway.core.errors import GatewayError, Unavailable
from tenants.accounts import limits
from tenants.accounts.errors import MailUnavailable

log = structlog.get_logger(__name__)
TRUST_HEADER = "X-Trust-Token"
_CODES = {
    400: ("invalid_request", "The request is not valid."),
    403: ("forbidden", "Not allowed."),
    404: ("not_found", "There is no such address."),
    405: ("method_not_allowed", "This address does not take that method."),
    500: ("internal_error", "Something went wrong here; it was noted."),
}


class Answers:
    """The outermost middleware but one. Only pages of single sign-on may answer with HTML."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        limits.forget()
        trusted = request.headers.get(TRUST_HEADER)
        if trusted:  # apps have no cookies; allauth looks for it there
            request.COOKIES[settings.MFA_TRUST_COOKIE_NAME] = trusted
        response = self._get_response(request)
        if response.status_code == 429 and not response.has_header("Retry-After"):
            return limits.refused(limits.last_refusal())
        if response.status_code >= 400 and not response.headers["Content-Type"].startswith("application/json"):
            code, message = _CODES.get(response.status_code, _CODES[400])
            plain = error_response(response.status_code, code, message)
            if response.has_header("Allow"):
                plain["Allow"] = response["Allow"]
            return plain
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Allauth's own middleware stands inside and has answered what is its own."""
        if isinstance(error, Http404 | PermissionDenied | SuspiciousOperation):
            return None
        trouble = as_trouble(error)
        if trouble is not None:
            log.warning("accounts_unavailable", path=request.path, error=repr(error))
            return gateway_error(trouble)
        if isinstance(error, GatewayError):
            return gateway_error(error)
        log.error("accounts_failed", path=request.path, exc_info=error)
        return error_response(500, *_CODES[500])


def as_trouble(error: BaseException) -> Unavailable | None:
    """The 503 for a store or the mail server that is away; None for everything else."""
    if isinstance(error, Unavailable):
        return error
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout):
        return Unavailable("The database is not reachable; nothing was changed.", code="database_unavailable")
    if isinstance(error, redis.ConnectionError | redis.TimeoutError | redis.ResponseError):
        return Unavailable("Attempts cannot be counted right now, so none is made.", code="store_unavailable")
    if isinstance(error, smtplib.SMTPException | ConnectionError | TimeoutError):
        return MailUnavailable()
    return None


def gateway_error(error: GatewayError) -> JsonResponse:
    """One of the gateway's errors in the shape of the headless API."""
    response = error_response(error.http_status, error.code, error.detail)
    if error.retry_after is not None:
        response["Retry-After"] = str(max(1, round(error.retry_after)))
    return response


def error_response(status: int, code: str, message: str) -> JsonResponse:
    """The headless API's ``{"status", "errors": […]}``, with ``code`` and ``detail`` as everywhere; never cached."""
    errors = [{"code": code, "message": message}]
    response = JsonResponse({"status": status, "code": code, "detail": message, "errors": errors}, status=status)
    response["Cache-Control"] = "no-store"
    return response
