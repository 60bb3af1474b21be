"""The one error base of the gateway and the kinds every slice shares.

    GatewayError
    ├── BadRequest            400/422  invalid_request, …  (names the field)
    ├── Unauthenticated       401      key_missing, key_malformed, key_unknown, key_expired, key_revoked
    ├── PaymentRequired       402      quota_exceeded, plan_limit, budget_exceeded
    ├── Forbidden             403      scope_missing, org_suspended, feature_disabled, plan_required, …
    ├── NotFound              404
    ├── MethodNotAllowed      405      method_not_allowed
    ├── Conflict              409
    ├── Gone                  410
    ├── PayloadTooLarge       413      body_too_large
    ├── RateLimited           429      rate_limited (always with retry_after)
    ├── UpstreamError         502/504  the model's provider failed
    └── Unavailable           503      a store of ours is away (always with retry_after)

A slice names its own failures by subclassing one of these in its ``errors.py``. Each surface translates the
base class into its dialect; nothing below a surface knows which dialect that is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing wrong with the input. ``pointer`` is an RFC 6901 JSON pointer into the body, or ``#/query/NAME``."""

    pointer: str
    code: str
    message: str


class GatewayError(Exception):
    """What a caller is told: a machine ``code``, an HTTP ``status``, a ``title`` for the kind and a ``detail`` for
    this case."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    default_code: ClassVar[str] = "internal_error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        status: int | None = None,
        problems: tuple[FieldProblem, ...] = (),
        retry_after: float | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.http_status = status or self.status
        self.problems = problems
        self.retry_after = retry_after
        self.extra = extra or {}


class BadRequest(GatewayError):
    status, title, default_code = 422, "The request is not valid", "invalid_request"


class Unauthenticated(GatewayError):
    status, title, default_code = 401, "Not authenticated", "key_missing"


class PaymentRequired(GatewayError):
    status, title, default_code = 402, "The plan or budget does not cover this", "quota_exceeded"


class Forbidden(GatewayError):
    status, title, default_code = 403, "Not allowed", "forbidden"


class NotFound(GatewayError):
    status, title, default_code = 404, "Not found", "not_found"


class MethodNotAllowed(GatewayError):
    status, title, default_code = 405, "Method not allowed", "method_not_allowed"


class Conflict(GatewayError):
    status, title, default_code = 409, "Conflict", "conflict"


class Gone(GatewayError):
    status, title, default_code = 410, "No longer there", "gone"


class PayloadTooLarge(GatewayError):
    status, title, default_code = 413, "The body is too large", "body_too_large"


class RateLimited(GatewayError):
    status, title, default_code = 429, "Too many requests", "rate_limited"


class UpstreamError(GatewayError):
    status, title, default_code = 502, "The model's provider failed", "upstream_error"


class Unavailable(GatewayError):
    """A store of ours is away or too slow. Never mistaken for a refusal: the caller should retry."""

    status, title, default_code = 503, "Temporarily unavailable", "unavailable"

    def __init__(self, detail: str, *, retry_after: float = 2.0, **kwargs: Any) -> None:
        super().__init__(detail, retry_after=retry_after, **kwargs)
