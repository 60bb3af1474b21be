"""What the OpenAPI document says once for all operations: signing, headers, the shapes and kinds of failure."""

from __future__ import annotations

from typing import Any

from gateway.core import errors
from gateway.surfaces.problems import ANTHROPIC_TYPES, OPENAI_TYPES, PROBLEM_JSON
from gateway.surfaces.v1.schemas.inline import inlined
from gateway.surfaces.v1.schemas.problems import AnthropicErrorOut, OpenAIErrorOut, ProblemOut

TAGS = {
    "chat": "One turn with a persona: recall, policy, the model, citations, proposed writes.",
    "openai": "OpenAI's dialect, for its unchanged clients.",
    "anthropic": "Anthropic's dialect, for its unchanged clients.",
    "memories": "What is known of a subject.",
    "documents": "What the organization itself knows, cited passage by passage.",
    "subjects": "Who the organization's applications have talked about.",
    "conversations": "What was said, for as long as the organization keeps it.",
    "personas": "Who answers: Cartridge documents, their drafts and their versions.",
    "policies": "What the organization, its teams, subjects and conversations require of every answer.",
    "proposals": "Writes that a persona proposed and a person decides.",
    "requests": "What each request was, cost and decided.",
    "operations": "Long work and its progress.",
    "audit": "The hash chain of every change and every read of content.",
    "receipts": "Signed statements of what was deleted.",
    "events": "What happened, for subscribers.",
    "providers": "The organization's own credentials for models.",
    "models": "What can be asked, and short names for it.",
    "keys": "API keys: make, narrow, rotate, revoke.",
    "tokens": "Capability tokens: short-lived, for one persona and one subject, no wider than their key.",
    "limits": "What may be used, what is left, and limits of one's own.",
    "account": "A person's own account, and user tokens.",
    "organizations": "A person's own organizations.",
    "members": "Who belongs to the organization, and in which role.",
    "invitations": "Asking people in by link.",
    "sso": "Single sign-on for the organization's members.",
    "usage": "What was used and what it cost, in sums and row by row.",
    "billing": "Plans, the running month, statements, and providers' bills beside the ledger.",
    "prices": "What models cost here.",
    "flags": "Which features the organization has, why, and what it chose.",
    "onboarding": "How far an organization has come.",
    "about": "Who is calling, what works here, what is left.",
}

SECURITY_SCHEMES = {
    "key": {"type": "http", "scheme": "bearer", "bearerFormat": "ik_live_…", "description": "An API key."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "The same key, another header."},
    "userToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "eyJ…",
        "description": "A signed-in person's token (POST /v1/auth/token).",
    },
    "session": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Session-Token",
        "description": "The session of a signed-in person, for POST /v1/auth/token alone.",
    },
}

HEADERS: dict[str, Any] = {
    "X-Request-Id": {
        "description": "Names this request in GET /v1/requests, logs and support.",
        "schema": {"type": "string", "pattern": "^req_[0-9a-z]{26}$"},
    },
    "X-Api-Version": {"description": "The dated version that answered.", "schema": {"type": "string"}},
    "RateLimit-Limit": {
        "description": "Requests per window. The RateLimit headers are there once the limits were asked.",
        "schema": {"type": "integer"},
    },
    "RateLimit-Remaining": {"description": "Requests left now.", "schema": {"type": "integer", "minimum": 0}},
    "RateLimit-Reset": {
        "description": "Seconds until all are back.",
        "schema": {"type": "integer", "minimum": 0},
    },
}

IDEMPOTENCY_KEY: dict[str, Any] = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": "The same request with the same key again gets the first answer (`Idempotent-Replayed: true`).",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}
PREFER: dict[str, Any] = {
    "in": "header",
    "name": "Prefer",
    "required": False,
    "description": "`respond-async`: a batch is left to a worker, and the answer is 202 with its operation.",
    "schema": {"type": "string"},
}
IF_MATCH: dict[str, Any] = {
    "in": "header",
    "name": "If-Match",
    "required": False,
    "description": 'Only if this is still the version (or revision) that is there, such as `"3"`; 409 if not. What the '
    "body names goes before it. `*` is no condition.",
    "schema": {"type": "string", "pattern": r'^(\*|(W/)?"?[0-9]{1,9}"?)$'},
}
_RETRY_AFTER = {"description": "Seconds to wait before trying again.", "schema": {"type": "integer", "minimum": 1}}
# One error of each kind: its class is where title and usual code come from.
_KINDS: tuple[tuple[int, type[errors.GatewayError], str, str], ...] = (
    (400, errors.BadRequest, "malformed_json", "The body is not JSON."),
    (401, errors.Unauthenticated, "key_unknown", "No key, or one that does not work (any more)."),
    (402, errors.PaymentRequired, "quota_exceeded", "The plan, its quota or a budget does not cover this."),
    (403, errors.Forbidden, "scope_missing", "The key, the plan, a flag or a policy does not allow this."),
    (404, errors.NotFound, "not_found", "There is no such thing in this organization."),
    (409, errors.Conflict, "conflict", "It is in another state than this needs."),
    (410, errors.Gone, "gone", "It was there and is no longer."),
    (413, errors.PayloadTooLarge, "body_too_large", "The body is larger than this route takes."),
    (422, errors.BadRequest, "invalid_request", "A field is wrong; `errors` names it."),
    (429, errors.RateLimited, "rate_limited", "Too many requests; Retry-After says when."),
    (502, errors.UpstreamError, "upstream_error", "The model's provider failed."),
    (503, errors.Unavailable, "unavailable", "A store is away for a moment; nothing was changed."),
    (504, errors.UpstreamError, "upstream_timeout", "The model's provider took too long."),
)
_REQUEST_ID = "req_01jd3v7x5k8m9n0p1q2r3s4t5v"


def _problem(status: int, kind: type[errors.GatewayError], code: str, detail: str) -> dict[str, Any]:
    return {
        "type": f"urn:ikiro:error:{code}", "title": kind.title, "status": status, "detail": detail,
        "instance": "/v1/chat", "code": code, "request_id": _REQUEST_ID,
    }  # fmt: skip


def _response(name: str, media_type: str, description: str, example: Any = None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{name}"}}
    if example is not None:
        content["example"] = example
    headers = {header: {"$ref": f"#/components/headers/{header}"} for header in HEADERS}
    return {
        "description": description,
        "headers": headers | {"Retry-After": _RETRY_AFTER},
        "content": {media_type: content},
    }


def _both(status: int, kind: type[errors.GatewayError], code: str, text: str) -> dict[str, Any]:
    spoken = {
        "error": {
            "message": text, "type": OPENAI_TYPES.get(status, "server_error"), "param": None, "code": code,
            "request_id": _REQUEST_ID,
        }
    }  # fmt: skip
    theirs = {
        "type": "error", "request_id": _REQUEST_ID,
        "error": {"type": ANTHROPIC_TYPES.get(status, "api_error"), "message": text, "code": code},
    }  # fmt: skip
    return {
        f"AnthropicError{status}": _response("AnthropicError", "application/json", text, theirs),
        f"Problem{status}": _response("Problem", PROBLEM_JSON, text, _problem(status, kind, code, text)),
        f"OpenAIError{status}": _response("OpenAIError", "application/json", text, spoken),
    }


FAILURES: dict[int | str, dict[str, Any]] = {
    **{status: _both(status, kind, code, text) for status, kind, code, text in _KINDS},
    "default": {
        "AnthropicError": _response("AnthropicError", "application/json", "Any other failure."),
        "Problem": _response("Problem", PROBLEM_JSON, "Any other failure."),
        "OpenAIError": _response("OpenAIError", "application/json", "Any other failure."),
    },
}
SCHEMAS = {
    "AnthropicError": inlined(AnthropicErrorOut),
    "Problem": inlined(ProblemOut),
    "OpenAIError": inlined(OpenAIErrorOut),
}
