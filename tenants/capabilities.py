"""Capability tokens: a part of what a key may do, for one persona and one subject, to hand to a browser or an agent.

A JWT signed with EdDSA, at most fifteen minutes long, verified without I/O. It is signed like a user token, by keys
made of the key ring, but by other ones: neither kind can pass for the other. What a token says only narrows its key,
and is cut down once more to what the key may do at the moment of use (``cut_to``): a key that is narrowed, revoked or
expired takes its tokens along within a second. ``epoch`` is the key's count of "end all tokens so far".
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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
from gateway.core.endpoint import Scope
from gateway.core.errors import NotFound
from tenants.restrictions import cut
from tenants.types import ApiKey, CapabilityToken

MAX_LIFETIME_S = 900
# What a token may be for. Nothing that manages, and nothing that makes further credentials.
SCOPES = (Scope.CHAT, Scope.MEMORIES_READ, Scope.MEMORIES_WRITE, Scope.PERSONAS_READ, Scope.PROPOSALS_READ)
DEFAULT_SCOPES = (Scope.CHAT,)
LEEWAY_S = 5  # of clocks that differ between machines
_TYPE = "ikiro-capability+jwt"
_ISSUER, _AUDIENCE, _ALGORITHM = "ikiro", "gateway:capability", "EdDSA"
_REQUIRED = ["iss", "aud", "sub", "jti", "org", "iat", "exp"]
_MAX_LENGTH = 16_384


@dataclass(frozen=True, slots=True)
class Claims:
    """What a genuine token says. ``public`` is how the directory knows its key; ``None`` lists restrict nothing beyond
    the key."""

    id: UUID
    org_id: UUID
    key_id: UUID
    public: str
    epoch: int
    issued_at: datetime
    expires_at: datetime
    persona_id: str
    subject_id: str
    scopes: tuple[str, ...]
    memory_scopes: tuple[str, ...] | None
    models: tuple[str, ...] | None
    origins: tuple[str, ...] | None
    budget_micros: int | None


def mint(
    key: ApiKey,
    *,
    persona_id: str,
    subject_id: str,
    lifetime_s: int = MAX_LIFETIME_S,
    scopes: Sequence[str] = DEFAULT_SCOPES,
    memory_scopes: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    origins: Sequence[str] | None = None,
    budget_micros: int | None = None,
) -> tuple[str, Claims]:
    """A token of this key and what it says. That it is no wider than the key is for the caller to see to first; it ends
    no later than the key does."""
    now = clock.now()
    ends = now + timedelta(seconds=min(lifetime_s, MAX_LIFETIME_S))
    ends = min(ends, key.expires_at) if key.expires_at is not None else ends
    narrowed = {"memory_scopes": memory_scopes, "models": models, "origins": origins}
    claims: dict[str, Any] = {
        "iss": _ISSUER,
        "aud": _AUDIENCE,
        "sub": key.public_id,
        "key": key.public,
        "org": ids.public("org", key.org_id),
        "jti": ids.public("tok", ids.uuid7()),
        "iat": round(now.timestamp(), 3),
        "exp": round(ends.timestamp(), 3),
        "epoch": key.token_epoch,
        "persona_id": persona_id,
        "subject_id": subject_id,
        "scopes": list(scopes),
        **{name: list(values) for name, values in narrowed.items() if values is not None},
    }
    if budget_micros is not None:
        claims["budget_micros"] = budget_micros
    kid = settings.IKIRO_KEYRING["active"]
    token = jwt.encode(claims, _private_key(kid), algorithm=_ALGORITHM, headers={"kid": kid, "typ": _TYPE})
    return token, _claims(claims)


@lru_cache(maxsize=4_096)
def is_one(text: str) -> bool:
    """Whether a text calls itself a capability token, genuine or not."""
    if len(text) > _MAX_LENGTH:
        return False
    try:
        return jwt.get_unverified_header(text).get("typ") == _TYPE
    except (jwt.PyJWTError, ValueError):
        return False


@lru_cache(maxsize=4_096)
def genuine(token: str) -> Claims | None:
    """The claims of a token that a key of the ring signed, None for any other text. A token in use is verified once;
    its times, and all that may end it early, are for the caller to look at each time."""
    if len(token) > _MAX_LENGTH:
        return None
    try:
        header = jwt.get_unverified_header(token)
        if header.get("typ") != _TYPE or header.get("kid") not in settings.IKIRO_KEYRING["keys"]:
            return None
        options: Options = {"require": _REQUIRED, "verify_exp": False, "verify_iat": False}
        return _claims(
            jwt.decode(
                token, _public_key(header["kid"]), algorithms=[_ALGORITHM], issuer=_ISSUER, audience=_AUDIENCE,
                options=options,
            )
        )  # fmt: skip
    except (jwt.PyJWTError, NotFound, KeyError, TypeError, ValueError, OverflowError):
        return None


def cut_to(claims: Claims, key: ApiKey) -> CapabilityToken:
    """What the token may do while its key may do this: never more than either."""
    return CapabilityToken(
        id=claims.id,
        scopes=tuple(scope for scope in cut("scopes", claims.scopes, key.scopes) or () if scope in SCOPES),
        persona_ids=cut("persona_ids", (claims.persona_id,), key.persona_ids) or (),
        subject_ids=cut("subject_ids", (claims.subject_id,), key.subject_ids) or (),
        memory_scopes=cut("memory_scopes", claims.memory_scopes, key.memory_scopes),
        models=cut("models", claims.models, key.models),
        origins=cut("origins", claims.origins, key.origins),
        budget_micros=claims.budget_micros,
        expires_at=claims.expires_at,
        team_ids=key.team_ids,
    )


def _claims(said: dict[str, Any]) -> Claims:
    def listed(name: str) -> tuple[str, ...] | None:
        return tuple(said[name]) if name in said else None

    return Claims(
        id=ids.parse("tok", said["jti"]),
        org_id=ids.parse("org", said["org"]),
        key_id=ids.parse("key", said["sub"]),
        public=said["key"],
        epoch=said["epoch"],
        issued_at=datetime.fromtimestamp(said["iat"], UTC),
        expires_at=datetime.fromtimestamp(said["exp"], UTC),
        persona_id=said["persona_id"],
        subject_id=said["subject_id"],
        scopes=tuple(said["scopes"]),
        memory_scopes=listed("memory_scopes"),
        models=listed("models"),
        origins=listed("origins"),
        budget_micros=said.get("budget_micros"),
    )


@lru_cache(maxsize=64)
def _private_key(kid: str) -> Ed25519PrivateKey:
    secret = base64.b64decode(settings.IKIRO_KEYRING["keys"][kid])
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"ikiro capability tokens v1").derive(secret)
    return Ed25519PrivateKey.from_private_bytes(derived)


@lru_cache(maxsize=64)
def _public_key(kid: str) -> Ed25519PublicKey:
    return _private_key(kid).public_key()
