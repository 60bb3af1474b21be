"""Who is here: the account's session token in a sealed cookie, and nothing on the server.

The token is allauth's (headless, app client). It is there during a sign-in too, between password and second factor;
``signed_in`` says whether the sign-in is complete. ``meta`` holds small facts for the pages (the last organization, a
message for the next page); cookies are small, so keep it to a few short values.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from console.sealing import seal, unseal

COOKIE = "ikiro_session"
MAX_AGE = 14 * 24 * 3600
_PURPOSE = "session"


@dataclass(slots=True)
class Session:
    """What the cookie holds. Change it freely: the middleware writes it back when it differs."""

    token: str | None = None
    signed_in: bool = False
    meta: dict[str, Any] = field(default_factory=dict)
    _before: Any = None

    def sign_in(self, token: str, **meta: Any) -> None:
        """The sign-in is complete. What an earlier visitor left in ``meta`` is gone."""
        self.token, self.signed_in, self.meta = token, True, meta

    def sign_out(self) -> None:
        """Forget everything."""
        self.token, self.signed_in, self.meta = None, False, {}

    def as_value(self) -> Any:
        return [self.token, self.signed_in, self.meta] if self.token or self.meta else None


def read(request: HttpRequest) -> Session:
    """The session of this request; an empty one when there is no cookie or it does not open."""
    value = unseal(request.COOKIES.get(COOKIE, ""), _PURPOSE, max_age=MAX_AGE)
    session = Session()
    if isinstance(value, list) and len(value) == 3:
        session = Session(value[0], bool(value[1]), dict(value[2]))
    session._before = copy.deepcopy(session.as_value())
    return session


def write(request: Any, response: HttpResponseBase) -> None:
    """Set or clear the cookie when the session changed, or when a cookie came that does not open."""
    session: Session = request.visit
    value = session.as_value()
    if value is None:
        if COOKIE in request.COOKIES:
            response.delete_cookie(COOKIE, samesite="Lax")
    elif value != session._before:
        response.set_cookie(
            COOKIE,
            seal(value, _PURPOSE),
            max_age=MAX_AGE,
            httponly=True,
            secure=request.is_secure(),
            samesite="Lax",
        )
