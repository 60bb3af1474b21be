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
from gateway.platform.flags import gate as flags
from gateway.platform.telemetry import tracing
from gateway.surfaces import bodies, credentials, last_used, problems, reach, refusals, repeats, signals, streams
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
        counters = signals.operation(endpoint.surface or surface, operation.view_func)

        async def enter(request: HttpRequest, **path: Any) -> HttpResponse:
            begun: Call | None = getattr(request, "begun", None)  # in the fast lane, which let it in the same way
            call = begun or Call(
                ids.uuid7(), endpoint.surface or surface, parent_id=getattr(request, "replay_of", None)
            )
            request.call = call  # type: ignore[attr-defined]
            signals.begin(call, request, operation.path)
            admitted = begun is not None

            async def perform() -> HttpResponse:
                try:
                    response = await work(request, **path)
                    if bodies.wanted(call, endpoint):
                        response = bodies.keep(call, request, response)
                    if call.reads:
                        await gate.note_reads(call)  # content whose reading cannot be noted is not given out
                except Exception as error:  # noqa: BLE001 - whatever failed is answered in the dialect, in one place
                    response = operation.api.on_exception(request, error)
                return response

            try:
                if not admitted:
                    await _admit(request, call, endpoint)
                    admitted = True
                response = await _carry_out(request, call, endpoint, perform)
            except Exception as error:  # noqa: BLE001 - as above
                response = operation.api.on_exception(request, error)
            if call.failure is not None:
                await _leave_trail(call, endpoint, admitted=admitted)
            if call.principal is not None and "RateLimit-Limit" not in call.headers:
                await gate.show_limits(call)
            return signals.end(call, counters, _dress(response, call))

        return enter

    return decorate


async def _leave_trail(call: Call, endpoint: Endpoint, *, admitted: bool) -> None:
    """What remains of a call that failed. One whose lease was opened is told of by its settlement."""
    if endpoint.scope is Scope.CHAT:
        await gate.note_failed_call(call, call.failure)
    if admitted and not refusals.is_before_work(call, endpoint):
        return
    if admitted:  # at the door it was noted already
        await gate.note_refusal(call, call.failure)
    refusals.mark(call, call.failure)
    await refusals.keep(call, call.failure)


async def _admit(request: HttpRequest, call: Call, endpoint: Endpoint) -> None:
    if endpoint.public:
        _refuse_unreadable(request)
        return
    try:
        if endpoint.account:
            await _admit_account(request, call)
            return
        with tracing.span(call, "auth"):
            principal = await authenticate(credentials.token(request))
        call.known(principal)
        reach.require(request, call, principal, endpoint)
        require(principal, endpoint)
        _refuse_unreadable(request)
        if endpoint.metering is Metering.RATE:
            await gate.admit_rate(call)
    except GatewayError as error:
        refusals.mark(call, error)
        await gate.note_refusal(call, error)
        if isinstance(error, KeyRefused):
            reach.expose(request, call, error.origins)
            await _tell_owner(call, error)
        raise
    if principal.key is not None:
        last_used.mark(principal, request)


def require(principal: Principal, endpoint: Endpoint) -> None:
    """Raise Forbidden unless this caller may use the operation at all."""
    if endpoint.scope is not None:
        access.require_scope(principal, endpoint.scope)
    _require_flag(principal, endpoint)


async def _carry_out(
    request: HttpRequest, call: Call, endpoint: Endpoint, perform: Callable[[], Awaitable[HttpResponse]]
) -> HttpResponse:
    """The work, done once for an ``Idempotency-Key`` and to its end for a key that drains. Neither costs the others
    anything."""
    drain = endpoint.metering is Metering.CALL and streams.drains(call.principal)
    if repeats.HEADER in request.META and request.method == "POST" and not (endpoint.public or endpoint.reads):
        return await repeats.once(request, call, endpoint, perform, drain=drain)  # type: ignore[no-any-return]
    work = streams.carry_out(perform, call=call, path=request.path, drain=drain)
    return await (streams.to_the_end(work) if drain else work)  # type: ignore[no-any-return]


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
        await refusals.keep(call, error, of=of)
        await gate.note_failed_call(call, error, of=of)


def _refuse_unreadable(request: HttpRequest) -> None:
    if request.body_error is not None:  # type: ignore[attr-defined]
        raise request.body_error  # type: ignore[attr-defined]
    refuse_nul_in_address(request)


def _require_flag(principal: Principal, endpoint: Endpoint) -> None:
    for flag in ("enable_gateway_api", endpoint.flag):
        if flag is not None and not catalogue.value(principal.organization, flag):
            flags.require(principal.organization, flag)


def dress_unrouted(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """An answer that no operation gave: no such path, or not with this method. In JSON, with a request id like every
    other."""
    endpoint, missing = endpoint_at(request.path), absent.at(request.path)
    call = Call(ids.uuid7(), absent.surface_at(request.path) if missing else (endpoint and endpoint.surface) or "v1")
    request.call = call  # type: ignore[attr-defined]
    if response.status_code == 404:
        error: GatewayError = missing or NotFound(_nothing_at(request.path), code="no_such_path")
        response = problems.respond(request, error)
    elif response.status_code == 405:
        allowed = response.get("Allow", "")
        refused = MethodNotAllowed(f"{request.path} takes {allowed}, not {request.method}.")
        response = problems.respond(request, refused)
        response["Allow"] = allowed
    return signals.unrouted(call, _dress(response, call))


def _nothing_at(path: str) -> str:
    detail = f"There is nothing at {path}."
    return f"{detail} A slash within a subject's id is written %2F." if path.startswith("/v1/subjects/") else detail


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
