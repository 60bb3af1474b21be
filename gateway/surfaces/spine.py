"""The one way in: authenticate → scope → flag → admit → work → trail, for every operation of every surface.

Installed on a surface's API object as a decorator in "view" mode, so it wraps each operation before its input is even
parsed and no operation can be added without it. What differs between surfaces is only how an error looks (the API's
exception handlers).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse

from gateway.core import ids
from gateway.core.endpoint import Call, Endpoint, Metering, declared
from gateway.core.errors import Forbidden, GatewayError, MethodNotAllowed, NotFound, Unauthenticated
from gateway.platform.admission import gate
from gateway.platform.flags import catalogue
from gateway.surfaces import last_used, problems
from gateway.surfaces.parsing import refuse_nul_in_address
from gateway.surfaces.routes import endpoint_at
from tenants.authentication import authenticate
from tenants.types import Principal

log = structlog.get_logger(__name__)
API_VERSION = "2026-11-01"
Run = Callable[..., Awaitable[HttpResponse]]


def spine(surface: str) -> Callable[[Run], Run]:
    """The decorator for one surface's ``NinjaAPI``."""

    def decorate(run: Run) -> Run:
        operation: Any = run.__self__  # type: ignore[attr-defined]
        endpoint = declared(operation.view_func)
        if endpoint is None:
            raise TypeError(
                f"{operation.view_func.__qualname__} declares no endpoint(…); see gateway/core/endpoint.py."
            )

        work: Run = operation.view_func if endpoint.raw else run

        async def enter(request: HttpRequest, **path: Any) -> HttpResponse:
            call = Call(ids.uuid7(), endpoint.surface or surface)
            request.call = call  # type: ignore[attr-defined]
            try:
                await _admit(request, call, endpoint)
                response = await work(request, **path)
                if call.reads:
                    await gate.note_reads(call)  # content whose reading cannot be noted is not given out
            except Exception as error:  # noqa: BLE001 - whatever failed is answered in the dialect, in one place
                response = operation.api.on_exception(request, error)
            if call.principal is not None and not call.headers:
                await gate.show_limits(call)
            return _dress(response, call)

        return enter

    return decorate


async def _admit(request: HttpRequest, call: Call, endpoint: Endpoint) -> None:
    if endpoint.public:
        return
    try:
        principal = await authenticate(_token(request))
        call.principal = principal
        call.decided("auth", "ok", key=principal.key.public_id, organization=principal.ref.public_id)
        _require_scope(principal, endpoint)
        _require_flag(principal, endpoint)
        if request.body_error is not None:  # type: ignore[attr-defined]
            raise request.body_error  # type: ignore[attr-defined]
        refuse_nul_in_address(request)
        if endpoint.metering is Metering.RATE:
            await gate.admit_rate(call)
    except GatewayError as error:
        call.decided("gate", "refused", code=error.code)
        await gate.note_refusal(call, error)
        raise
    last_used.mark(principal.key.id)


def _token(request: HttpRequest) -> str:
    header: str = request.META.get("HTTP_AUTHORIZATION", "")
    kind, _, token = header.partition(" ")
    if kind.lower() == "bearer" and token.strip():
        return token.strip()
    named: str = request.META.get("HTTP_X_API_KEY", "")
    if named:
        return named
    raise Unauthenticated("Send a key: Authorization: Bearer ik_live_…", code="key_missing")


def _require_scope(principal: Principal, endpoint: Endpoint) -> None:
    allowed = principal.key.scopes
    if endpoint.scope is None or allowed is None or endpoint.scope in allowed:
        return
    raise Forbidden(
        f"This key lacks the scope {endpoint.scope.value}; use another key or make one with it.",
        code="scope_missing",
        extra={"scope": endpoint.scope.value},
    )


def _require_flag(principal: Principal, endpoint: Endpoint) -> None:
    for flag in ("enable_gateway_api", endpoint.flag):
        if flag is None or catalogue.value(principal.organization, flag):
            continue
        plan = catalogue.needs_plan(flag)
        if plan is not None and flag not in principal.organization.flags:
            raise Forbidden(
                f"This needs the {plan} plan or above.", code="plan_required", extra={"flag": flag, "plan": plan}
            )
        raise Forbidden(f"{flag} is off for this organization.", code="feature_disabled", extra={"flag": flag})


def dress_unrouted(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """An answer that no operation gave: no such path, or not with this method. In JSON, with a request id like every
    other."""
    endpoint = endpoint_at(request.path)
    call = Call(ids.uuid7(), (endpoint and endpoint.surface) or "v1")
    request.call = call  # type: ignore[attr-defined]
    if response.status_code == 404:
        response = problems.respond(request, NotFound(f"There is nothing at {request.path}.", code="no_such_path"))
    elif response.status_code == 405:
        allowed = response.get("Allow", "")
        error = MethodNotAllowed(f"{request.path} takes {allowed}, not {request.method}.")
        response = problems.respond(request, error)
        response["Allow"] = allowed
    return _dress(response, call)


def _dress(response: HttpResponse, call: Call) -> HttpResponse:
    request_id = ids.public("req", call.request_id)
    # Straight into the mapping: these names and values are ASCII by construction, and checking each costs more than
    # all else here.
    headers = response.headers._store
    headers["x-request-id"] = ("X-Request-Id", request_id)
    headers["request-id"] = ("Request-Id", request_id)
    headers["x-api-version"] = ("X-Api-Version", API_VERSION)
    for name, value in call.headers.items():
        headers[name.lower()] = (name, value)
    return response
