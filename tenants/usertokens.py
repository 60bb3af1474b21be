"""User tokens: what a signed-in person's session is traded for. EdDSA, five minutes, verified without I/O.

The signing keys are made of the key ring (HKDF), so there is nothing else to keep or to rotate: the active key signs,
all keys of the ring verify. What a token says of the role is information for its holder; every call is decided by the
membership that the directory knows at that moment.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from jwt.types import Options

from gateway.core import clock, ids
from gateway.core.errors import NotFound, Unauthenticated

LIFETIME_S = 300
PREFIX = "eyJ"  # how every JWT begins, and no API key
_ISSUER, _AUDIENCE, _ALGORITHM = "ikiro", "gateway", "EdDSA"
_REQUIRED = ["iss", "aud", "sub", "sid", "iat", "exp"]
_MAX_LENGTH = 2_048
_LEEWAY_S = 5  # of clocks that differ between machines
_NEXT = "Get a new one with POST /v1/auth/token."


@dataclass(frozen=True, slots=True)
class Claims:
    """What a genuine token says. ``authenticated_at`` is the last time its session proved who it is; ``sso`` names the
    connections of single sign-on that it came by."""

    user_id: UUID
    org_id: UUID | None
    role: str | None
    amr: tuple[str, ...]
    sid: str
    issued_at: datetime
    expires_at: datetime
    authenticated_at: datetime
    sso: tuple[str, ...] = ()


def mint(
    *,
    user_id: UUID,
    sid: str,
    org_id: UUID | None = None,
    role: str | None = None,
    amr: Sequence[str] = (),
    sso: Sequence[str] = (),
    authenticated_at: datetime | None = None,
) -> tuple[str, datetime]:
    """A token and the moment at which it ends."""
    now = round(clock.now().timestamp(), 3)
    claims: dict[str, Any] = {
        "iss": _ISSUER,
        "aud": _AUDIENCE,
        "sub": ids.public("usr", user_id),
        "org": ids.public("org", org_id) if org_id else None,
        "role": role,
        "amr": list(amr),
        "sid": sid,
        "iat": now,
        "exp": now + LIFETIME_S,
        "auth_time": int((authenticated_at or clock.now()).timestamp()),
    }
    if sso:
        claims["sso"] = list(sso)
    kid = settings.IKIRO_KEYRING["active"]
    token = jwt.encode(claims, _private_key(kid), algorithm=_ALGORITHM, headers={"kid": kid})
    return token, _moment(claims["exp"])


def verify(token: str) -> Claims:
    """What the token says. Raises Unauthenticated ``token_expired``, or ``token_invalid`` for what we did not sign."""
    claims = _genuine(token) if len(token) <= _MAX_LENGTH else None
    if claims is None:
        raise Unauthenticated(f"This user token is not one of ours. {_NEXT}", code="token_invalid")
    if clock.now() >= claims.expires_at:
        raise Unauthenticated(f"This user token has ended; one lives five minutes. {_NEXT}", code="token_expired")
    return claims


@lru_cache(maxsize=2_048)
def _genuine(token: str) -> Claims | None:
    """The claims of a token that a key of the ring signed. A token in use is verified once; its end is looked at
    always."""
    try:
        kid = jwt.get_unverified_header(token).get("kid")
        if kid not in settings.IKIRO_KEYRING["keys"]:
            return None
        options: Options = {"require": _REQUIRED, "verify_exp": False}
        claims = jwt.decode(
            token, _public_key(kid), algorithms=[_ALGORITHM], issuer=_ISSUER, audience=_AUDIENCE,
            options=options, leeway=_LEEWAY_S,
        )  # fmt: skip
        org = claims.get("org")
        return Claims(
            user_id=ids.parse("usr", claims["sub"]),
            org_id=ids.parse("org", org) if org else None,
            role=claims.get("role"),
            amr=tuple(claims.get("amr", ())),
            sid=claims["sid"],
            issued_at=_moment(claims["iat"]),
            expires_at=_moment(claims["exp"]),
            authenticated_at=_moment(claims["auth_time"]),
            sso=tuple(claims.get("sso", ())),
        )
    except (jwt.PyJWTError, NotFound, KeyError, TypeError, ValueError, OverflowError):
        return None


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@lru_cache(maxsize=64)
def _private_key(kid: str) -> Ed25519PrivateKey:
    secret = base64.b64decode(settings.IKIRO_KEYRING["keys"][kid])
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"ikiro user tokens v1").derive(secret)
    return Ed25519PrivateKey.from_private_bytes(derived)


@lru_cache(maxsize=64)
def _public_key(kid: str) -> Ed25519PublicKey:
    return _private_key(kid).public_key()
