"""Where a request carries its key or user token, and what to say when it is in the wrong place.

A newcomer's first call often has the right key in the wrong line. Such a key is never accepted, but the refusal says
what the line must look like, and its organization's onboarding page shows it.
"""

from __future__ import annotations

import re

from django.http import HttpRequest

from gateway.core.errors import Unauthenticated
from tenants.authentication import KeyRefused, recognise

_LINE = "Authorization: Bearer ik_live_…"
_KEY = re.compile(r"ik_(?:live|test)_[0-9a-z_]{10,80}")
_HEADERS = {
    "HTTP_API_KEY": "the header api-key",
    "HTTP_APIKEY": "the header apikey",
    "HTTP_X_APIKEY": "the header x-apikey",
    "HTTP_X_AUTH_TOKEN": "the header x-auth-token",
}
_QUERY = ("api_key", "apikey", "api-key", "key", "token", "access_token")


def token(request: HttpRequest) -> str:
    """The key or user token. Raises Unauthenticated ``key_missing``, or ``key_misplaced`` for one elsewhere."""
    header: str = request.META.get("HTTP_AUTHORIZATION", "")
    kind, _, rest = header.partition(" ")
    if kind.lower() == "bearer" and (found := rest.strip()):
        return found if found.startswith(("ik_", "eyJ")) else _unwrapped(found)
    named: str = request.META.get("HTTP_X_API_KEY", "")
    if named:
        return named
    raise _misplaced(request, header) or Unauthenticated(f"Send a key: {_LINE}", code="key_missing")


def _unwrapped(found: str) -> str:
    """A key in quotes or brackets is no key; say so instead of calling it malformed."""
    inside = _KEY.search(found)
    if inside is None:
        return found
    raise _refusal(inside[0], "has something around it, such as quotes")


def _misplaced(request: HttpRequest, header: str) -> Unauthenticated | None:
    inside = _KEY.search(header)
    if inside is not None:
        return _refusal(inside[0], "is in the Authorization header, but without Bearer before it")
    for name, place in _HEADERS.items():
        inside = _KEY.search(request.META.get(name, ""))
        if inside is not None:
            return _refusal(inside[0], f"is in {place}")
    if "ik_" in request.META.get("QUERY_STRING", ""):
        for name in _QUERY:
            inside = _KEY.search(request.GET.get(name, ""))
            if inside is not None:
                return _refusal(inside[0], f"is in the address (?{name}=), where logs keep it; rotate it, too")
    return None


def _refusal(text: str, what: str) -> Unauthenticated:
    shown = "ik_test_…" if text.startswith("ik_test_") else "ik_live_…"
    detail = f"The key {what}. The line must look exactly like this: Authorization: Bearer {shown}"
    key = recognise(text)
    if key is None:
        return Unauthenticated(detail, code="key_misplaced")
    return KeyRefused(detail, code="key_misplaced", key=key)
