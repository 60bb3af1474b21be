"""From the one error base to each dialect's shape: problem+json on the native API, OpenAI's and
Anthropic's objects under their paths."""

from __future__ import annotations

import json
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from gateway.core import ids
from gateway.core.endpoint import Call, call_of
from gateway.core.errors import FieldProblem, GatewayError
from gateway.surfaces import invalid, refusals
from gateway.surfaces.parsing import malformed

log = structlog.get_logger(__name__)
OPENAI_TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 402: "insufficient_quota", 403: "permission_error",
    404: "invalid_request_error", 409: "conflict_error", 413: "invalid_request_error", 422: "invalid_request_error",
    429: "rate_limit_error",
}  # fmt: skip
ANTHROPIC_TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
    404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 504: "timeout_error",
}  # fmt: skip
# Trying the same again changes nothing, whatever the status makes a vendor's client believe.
_FINAL = frozenset({"provider_auth_failed", "egress_refused"})
_REFUSALS = frozenset({401, 402, 403, 429})
_LIMITS = frozenset({402, 429})
_VENDORS = frozenset({"openai", "anthropic"})
# A model without room: Anthropic's own status for it, which their clients know.
_NO_ROOM, _OVERLOADED = "upstream_overloaded", 529
PROBLEM_JSON = "application/problem+json"


def install(api: NinjaAPI) -> None:
    """Make every failure of an operation come out in its surface's dialect."""
    api.add_exception_handler(GatewayError, respond)
    api.add_exception_handler(ValidationError, _validation_error)
    api.add_exception_handler(HttpError, _http_error)
    api.add_exception_handler(Exception, _unexpected)


def problem(error: GatewayError, call: Call, *, instance: str) -> dict[str, Any]:
    """The problem object (RFC 9457) with our machine code, request id and, for a known caller, the decision record."""
    shown: dict[str, Any] = {
        "type": f"urn:ikiro:error:{error.code}",
        "title": error.title,
        "status": error.http_status,
        "detail": error.detail,
        "instance": instance,
        "code": error.code,
        "request_id": ids.public("req", call.request_id),
    }
    if error.problems:
        shown["errors"] = [
            {"pointer": _fragment(one.pointer), "code": one.code, "message": one.message} for one in error.problems
        ]
    if error.retry_after is not None:
        shown["retry_after"] = error.retry_after
    shown.update({key: value for key, value in error.extra.items() if key not in shown})
    if (call.principal is not None or call.account is not None) and call.decisions:
        shown["decisions"] = call.decisions
        line = next((one for one in call.decisions if one["verdict"] == "refused"), None)
        if line is not None:
            shown["decision"] = line
    return shown


def openai_error(error: GatewayError, call: Call) -> dict[str, Any]:
    """The same error as OpenAI's clients read it."""
    first = error.problems[0] if error.problems else None
    return {
        "error": {
            "message": error.detail,
            "type": OPENAI_TYPES.get(error.http_status, "server_error"),
            "param": _param(first) if first else error.extra.get("param"),
            "code": error.code,
            "request_id": ids.public("req", call.request_id),
            **_decision(error, call),
        }
    }


def anthropic_error(error: GatewayError, call: Call) -> dict[str, Any]:
    """The same error as Anthropic's clients read it; ``code`` beside their fields, where they look for none."""
    kind = ANTHROPIC_TYPES.get(error.http_status, "invalid_request_error" if error.http_status < 500 else "api_error")
    kind = "overloaded_error" if error.code == _NO_ROOM else kind
    told = {"type": kind, "message": error.detail, "code": error.code, **_decision(error, call)}
    return {"type": "error", "error": told, "request_id": ids.public("req", call.request_id)}


def _decision(error: GatewayError, call: Call) -> dict[str, Any]:
    """Which limit or budget it was that refused; nothing for any other error."""
    if error.http_status not in _LIMITS:
        return {}
    line = next((one for one in call.decisions if one["verdict"] == "refused"), None)
    return {} if line is None else {"decision": line}


def _param(problem: FieldProblem) -> str | None:
    """A pointer as OpenAI writes it: ``messages.0.role``; None for the body as a whole."""
    return problem.pointer.lstrip("#/").replace("/", ".") or None


def respond(request: HttpRequest, error: Any) -> HttpResponse:
    """The HTTP answer for an error, in the dialect of the request's surface."""
    call = call_of(request)
    call.failure = error
    if error.http_status in _REFUSALS:
        refusals.mark(call, error)
    status, kind = error.http_status, PROBLEM_JSON
    final = False
    if call.surface in _VENDORS:
        # GET /v1/models is the one path that both vendors' clients share; this header tells them apart.
        theirs = call.surface == "anthropic" or "HTTP_ANTHROPIC_VERSION" in request.META
        body, kind = (anthropic_error if theirs else openai_error)(error, call), "application/json"
        status = 400 if status == 422 and error.code != "idempotency_mismatch" else status
        status = _OVERLOADED if theirs and error.code == _NO_ROOM else status
        final = (status == 409 and error.retry_after is None) or error.code in _FINAL
    else:
        body = problem(error, call, instance=request.path)
    response = HttpResponse(json.dumps(body, default=str), status=status, content_type=kind)
    if error.retry_after is not None:
        response["Retry-After"] = str(max(1, round(error.retry_after)))
    if final:
        response["X-Should-Retry"] = "false"
    if status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="ikiro"'
    return response


def _fragment(pointer: str) -> str:
    """A pointer in the URI fragment form that the wire uses, however its finder wrote it."""
    return pointer if pointer.startswith("#") else f"#{pointer}"


def _validation_error(request: HttpRequest, error: Any) -> HttpResponse:
    return respond(request, invalid.of_call(error.errors, request.body))


def _http_error(request: HttpRequest, error: Any) -> HttpResponse:
    """Ninja's own refusal: a body that its reader could not make out, and why."""
    cause = error.__cause__
    return respond(request, cause if isinstance(cause, GatewayError) else malformed(error.message))


def _unexpected(request: HttpRequest, error: Any) -> HttpResponse:
    return respond(request, told(error, call_of(request)))


def crashed(request: HttpRequest, error: Exception) -> HttpResponse:
    """The answer for an error outside every operation, where no call may have been made yet."""
    if not hasattr(request, "call"):
        request.call = Call(ids.uuid7(), "v1")  # type: ignore[attr-defined]
    return _unexpected(request, error)


def told(error: Exception, call: Call) -> GatewayError:
    """What the caller is told of an error, and the call's failure from now on. A defect of ours is logged with its
    trace and told without it."""
    if isinstance(error, GatewayError):
        call.failure = error
        return error
    log.error("request.crashed", request_id=ids.public("req", call.request_id), surface=call.surface, exc_info=error)
    ours = GatewayError("This is our fault and it is logged. Quote the request id if it persists.")
    call.failure = ours
    return ours
