"""Trust this device: a token of the gateway that spares the second factor here for 30 days.

It holds for one account until its password or its second factors change; the gateway checks it.
"""

from __future__ import annotations

from django.http import HttpResponse

from console.requests import PageRequest

COOKIE = "ikiro_trust"
_MAX_AGE = 30 * 24 * 3600
_PATH = "/login"
_LONGEST = 1000


def headers(request: PageRequest) -> dict[str, str]:
    """What a sign-in sends along."""
    value = request.COOKIES.get(COOKIE, "")
    return {"X-Trust-Token": value} if value.isascii() and value.isprintable() and 0 < len(value) <= _LONGEST else {}


async def ask(request: PageRequest, response: HttpResponse) -> HttpResponse:
    """Have this device trusted from now on; the person has just given their second factor."""
    answer = await request.accounts.post("auth/2fa/trust", {"trust": True})
    token = answer.meta.get("trust_token")
    if token:
        response.set_cookie(
            COOKIE, token, max_age=_MAX_AGE, path=_PATH, httponly=True, secure=request.is_secure(), samesite="Lax"
        )
    return response
