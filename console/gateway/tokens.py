"""User tokens: what a person's session becomes for five minutes, for one organization.

Kept in this process's memory only, under a hash of the session token, and minted anew when a minute is left. Another
process mints its own; nothing has to be shared.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from console.gateway import http
from console.gateway.answers import unwrap

_RENEW_BEFORE_S = 60
_MOST = 10_000
_tokens: OrderedDict[tuple[str, str | None], UserToken] = OrderedDict()


@dataclass(frozen=True, slots=True)
class UserToken:
    """``user`` and ``organization`` are what the gateway said when it made the token."""

    token: str
    renew_at: float
    user: dict[str, Any]
    organization: dict[str, Any] | None


async def user_token(session_token: str, organization: str | None, headers: dict[str, str]) -> UserToken:
    """A token that holds for at least another minute. Raises ApiError (401 ``session_invalid``,
    404 ``organization_not_found``, 403 ``sso_required``) and GatewayDown."""
    name = (_digest(session_token), organization)
    known = _tokens.get(name)
    if known is not None and known.renew_at > time.monotonic():
        return known
    response, _ = await http.exchange(
        "POST",
        "/v1/auth/token",
        json={"organization": organization},
        headers={**headers, "X-Session-Token": session_token},
    )
    body = unwrap(response).data
    lifetime = max(float(body["expires_in"]) - _RENEW_BEFORE_S, 0.0)
    made = UserToken(body["token"], time.monotonic() + lifetime, body["user"], body.get("organization"))
    _tokens[name] = made
    while len(_tokens) > _MOST:
        _tokens.popitem(last=False)
    return made


def forget(session_token: str) -> None:
    """Drop every token of a session: it ended, or what it may do has changed."""
    digest = _digest(session_token)
    for name in [name for name in _tokens if name[0] == digest]:
        del _tokens[name]


def _digest(session_token: str) -> str:
    return hashlib.sha256(session_token.encode()).hexdigest()
