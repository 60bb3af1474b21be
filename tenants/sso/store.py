"""What single sign-on keeps for a moment, in the cache: one-time values by the hash of their token, and marks of
what was used.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from django.conf import settings

from gateway.core.errors import Unavailable
from gateway.core.valkey import sync_client

_PREFIX = "sso"


def keep(kind: str, value: dict[str, Any], seconds: int) -> str:
    """Keep a value; returns the token that takes it out, once."""
    token = secrets.token_urlsafe(32)
    with _trouble():
        _client().set(_key(kind, token), json.dumps(value), ex=seconds)
    return token


def take(kind: str, token: str) -> dict[str, Any] | None:
    """The value behind a token, which is worth nothing afterwards; None for a used, ended or invented one."""
    with _trouble():
        found = _client().getdel(_key(kind, token))
    return json.loads(found) if isinstance(found, bytes) else None


def first_time(kind: str, name: str, seconds: int) -> bool:
    """Whether this is seen for the first time; from now on it is not."""
    with _trouble():
        return bool(_client().set(_key(kind, name), b"1", nx=True, ex=seconds))


def _key(kind: str, token: str) -> str:
    return f"{_PREFIX}:{kind}:{hashlib.sha256(token.encode()).hexdigest()}"


def _client() -> redis.Redis:
    return sync_client(settings.IKIRO_CACHE_URL)


@contextmanager
def _trouble() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise Unavailable("The store of sign-ins is not reachable.", code="store_unavailable") from error
