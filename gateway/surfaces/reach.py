"""Where a credential may be used: from which addresses and web origins, and what a browser is told of it (CORS).

A key or a token that names origins is refused from any other, and only its answers carry
``Access-Control-Allow-Origin``: always the one origin that asked, never ``*``, never with cookies. A key is a server's
secret, so a call without an ``Origin`` passes; a token that names origins belongs to a page and has to come from one.
The address is the one that sign-ins are counted by (``IKIRO_TRUSTED_PROXIES``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse

from gateway.core.endpoint import Call, Endpoint
from gateway.core.errors import Forbidden
from tenants.accounts.address import client_address
from tenants.directory import directory
from tenants.restrictions import address_in, origin
from tenants.types import Principal

METHODS = "GET, POST, PUT, PATCH, DELETE"
# What a page may read of an answer beside its body.
EXPOSED = (
    "X-Request-Id, Request-Id, X-Api-Version, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset,"
    " Idempotency-Replayed, X-Should-Retry"
)
_PREFLIGHT_S = "600"
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_MOST_HEADERS = 64
# What needs no scope and is still for whoever holds a token; the rest of it is the organization's own affair.
_FOR_TOKENS = ("/v1/me", "/v1/models", "/v1/keys/self")


def require(request: HttpRequest, call: Call, principal: Principal, endpoint: Endpoint) -> None:
    """Refuse a key or token that is used from where it may not be, and let its origin's pages read the answer. Raises
    Forbidden ``ip_not_allowed``, ``origin_not_allowed`` or ``token_not_allowed``."""
    key, token = principal.key, principal.token
    if key is None:
        return
    origins = key.origins if token is None else token.origins
    if origins is not None:
        asked = asked_from(request)
        expose(request, call, origins)
        if asked not in origins and (asked is not None or token is not None):
            shown = asked or "no origin"
            raise Forbidden(
                f"This {principal.grant.kind} may not be used from {shown}.", code="origin_not_allowed",
                extra={"origin": asked},
            )  # fmt: skip
    if key.ip_ranges is not None:
        address = client_address(request)
        if not address_in(address, key.ip_ranges):
            raise Forbidden(
                f"This {principal.grant.kind} may not be used from {address}.", code="ip_not_allowed",
                extra={"address": address},
            )  # fmt: skip
    if token is not None and endpoint.scope is None and not request.path.startswith(_FOR_TOKENS):
        raise Forbidden("A capability token is not for this; use a key.", code="token_not_allowed")


def asked_from(request: HttpRequest) -> str | None:
    """The request's origin in uniform writing; what is none, such as ``null``, stays as it is."""
    sent: str | None = request.META.get("HTTP_ORIGIN")
    if sent is None:
        return None
    try:
        return origin(sent)
    except ValueError:
        return sent[:300]


def expose(request: HttpRequest, call: Call, origins: tuple[str, ...] | None) -> None:
    """Say in the answer that pages of the request's origin may read it, if it is one of these."""
    if origins is None:
        return
    call.headers["Vary"] = "Origin"
    asked = asked_from(request)
    if asked is not None and asked in origins:
        call.headers["Access-Control-Allow-Origin"] = asked
        call.headers["Access-Control-Expose-Headers"] = EXPOSED


def preflight(headers: Iterable[tuple[bytes, bytes]]) -> HttpResponse | None:
    """The answer to a browser that asks before it calls; None when this is no such question. ``headers`` are the ASGI
    scope's. It carries no credential, so an origin passes when any credential of this installation is for it."""
    sent = {name: value.decode("latin1") for name, value in headers if name in _ASKED}
    if b"origin" not in sent or b"access-control-request-method" not in sent:
        return None
    response = HttpResponse(status=204)
    response["Vary"] = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
    try:
        asked = origin(sent[b"origin"])
    except ValueError:
        return response
    if directory.may_ask(asked):
        wanted = [name.strip() for name in sent.get(b"access-control-request-headers", "").split(",")]
        allowed = [name for name in wanted[:_MOST_HEADERS] if _HEADER_NAME.fullmatch(name)]
        response["Access-Control-Allow-Origin"] = asked
        response["Access-Control-Allow-Methods"] = METHODS
        response["Access-Control-Allow-Headers"] = ", ".join(allowed or ["Authorization", "Content-Type"])
        response["Access-Control-Max-Age"] = _PREFLIGHT_S
    return response


_ASKED = frozenset({b"origin", b"access-control-request-method", b"access-control-request-headers"})
