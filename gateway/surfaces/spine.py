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
from gateway.core.endpoint import Call, Endpoint, Metering, Scope, declared
from gateway.core.errors import Forbidden, GatewayError, MethodNotAllowed, NotFound
from gateway.governance.access import rules as access
from gateway.platform.admission import gate
from gateway.platform.flags import catalogue
from gateway.surfaces import credentials, last_used, problems
from gateway.surfaces.openai import absent
from gateway.surfaces.parsing import refuse_nul_in_address
from gateway.surfaces.routes import endpoint_at
from tenants import usertokens
from tenants.authentication import KeyRefused, authenticate, authenticate_account
from tenants.directory import directory
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
            if call.failure is not None and endpoint.scope is Scope.CHAT:
                await gate.note_failed_call(call, call.failure)
            if call.principal is not None and not call.headers:
                await gate.show_limits(call)
            return _dress(response, call)

        return enter

    return decorate


async def _admit(request: HttpRequest, call: Call, endpoint: Endpoint) -> None:
    if endpoint.public:
        _refuse_unreadable(request)
        return
    try:
        if endpoint.account:
            await _admit_account(request, call)
            return
        principal = await authenticate(credentials.token(request))
        call.principal = principal
        grant = principal.grant
        call.decided("auth", "ok", **{grant.kind: grant.public_id}, organization=principal.ref.public_id)
        if endpoint.scope is not None:
            access.require_scope(principal, endpoint.scope)
        _require_flag(principal, endpoint)
        _refuse_unreadable(request)
        if endpoint.metering is Metering.RATE:
            await gate.admit_rate(call)
    except GatewayError as error:
        call.decided("gate", "refused", code=error.code)
        await gate.note_refusal(call, error)
        if isinstance(error, KeyRefused):
            await _tell_owner(call, error)
        raise
    if principal.key is not None:
        last_used.mark(principal.key.id)


async def _admit_account(request: HttpRequest, call: Call) -> None:
    token = credentials.token(request)
    if not token.startswith(usertokens.PREFIX):
        call.principal = await authenticate(token)
        raise Forbidden(
            "This is for signed-in people; a key cannot do it. Send a user token (POST /v1/auth/token).",
            code="user_token_required",
        )
    call.account = await authenticate_account(token)
    call.decided("auth", "ok", user=call.account.person.public_id)
    _refuse_unreadable(request)
    await gate.admit_account(call)


async def _tell_owner(call: Call, error: KeyRefused) -> None:
    """Leave a genuine key's refusal where its organization sees it, though nobody was let in."""
    organization = directory.organization(error.key.org_id)
    if organization is not None:
        of = Principal(organization, error.key)
        await gate.note_refusal(call, error, of=of)
        await gate.note_failed_call(call, error, of=of)


def _refuse_unreadable(request: HttpRequest) -> None:
    if request.body_error is not None:  # type: ignore[attr-defined]
        raise request.body_error  # type: ignore[attr-defined]
    refuse_nul_in_address(request)


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
    endpoint, missing = endpoint_at(request.path), absent.at(request.path)
    call = Call(ids.uuid7(), "openai" if missing else (endpoint and endpoint.surface) or "v1")
    request.call = call  # type: ignore[attr-defined]
    if response.status_code == 404:
        error: GatewayError = missing or NotFound(f"There is nothing at {request.path}.", code="no_such_path")
        response = problems.respond(request, error)
    elif response.status_code == 405:
        allowed = response.get("Allow", "")
        refused = MethodNotAllowed(f"{request.path} takes {allowed}, not {request.method}.")
        response = problems.respond(request, refused)
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
