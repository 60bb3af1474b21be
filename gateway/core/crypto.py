"""Secrets at rest: envelope encryption by the installation's key ring, and a type for secrets in memory.

Each value is encrypted by a key of its own (AES-256-GCM), which is encrypted by a key derived from the ring's active
one. Both bind the value's place (organization, row, field) as associated data, so a ciphertext that was copied to
another row or another organization does not open. Changing the ring's key re-encrypts the small key alone.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from functools import lru_cache
from typing import Any, NoReturn
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from gateway.core.errors import GatewayError

_FORMAT = b"\x01"
_NONCE, _KEY, _TAG = 12, 32, 16
_WRAPPED = _NONCE + _KEY + _TAG


class Unreadable(GatewayError):
    """A sealed value does not open: its key is not on the ring, or it was changed, or it belongs elsewhere."""

    default_code = "secret_unreadable"


class Secret:
    """A secret in memory. It shows itself to ``reveal`` alone: formatting, pickling, copying and JSON are refused."""

    __slots__ = ("__text",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """The secret itself. Call it where it is used, and keep the result nowhere."""
        return self.__text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self.__text.encode(), other.reveal().encode())

    def __repr__(self) -> str:  # says nothing, but does not raise: it is what a traceback or a debugger asks for
        return "<Secret>"

    def __str__(self) -> NoReturn:
        raise TypeError("A secret is not text; reveal() it where it is used.")

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError("A secret is not formatted; reveal() it where it is used.")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("A secret is neither pickled nor copied.")


def seal(secret: Secret, *context: str | UUID) -> tuple[bytes, str]:
    """(the ciphertext, the id of the ring's key that it needs). ``context`` says where the value lives: organization,
    row and field; ``unseal`` needs the same.
    """
    kid = active_kid()
    own, bound = os.urandom(_KEY), _bound(context)
    nonce = os.urandom(_NONCE)
    text = nonce + AESGCM(own).encrypt(nonce, secret.reveal().encode(), bound)
    return _FORMAT + _wrap(kid, own, bound) + text, kid


def unseal(ciphertext: bytes, kid: str, *context: str | UUID) -> Secret:
    """The secret again. Raises Unreadable."""
    own, bound = _unwrap(ciphertext, kid, context), _bound(context)
    text = ciphertext[len(_FORMAT) + _WRAPPED :]
    try:
        return Secret(AESGCM(own).decrypt(text[:_NONCE], text[_NONCE:], bound).decode())
    except (InvalidTag, ValueError):
        raise Unreadable("A sealed value was changed or belongs elsewhere.") from None


def rewrap(ciphertext: bytes, kid: str, *context: str | UUID) -> tuple[bytes, str]:
    """The same value for the ring's active key; the secret itself is never in the clear. Raises Unreadable."""
    own, active = _unwrap(ciphertext, kid, context), active_kid()
    head, tail = _FORMAT + _wrap(active, own, _bound(context)), ciphertext[len(_FORMAT) + _WRAPPED :]
    return head + tail, active


def active_kid() -> str:
    """The id of the ring's key that seals now."""
    return str(settings.IKIRO_KEYRING["active"])


def _wrap(kid: str, own: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(_ring_key(kid)).encrypt(nonce, own, bound + kid.encode())


def _unwrap(ciphertext: bytes, kid: str, context: tuple[str | UUID, ...]) -> bytes:
    wrapped = ciphertext[len(_FORMAT) : len(_FORMAT) + _WRAPPED]
    if not ciphertext.startswith(_FORMAT) or len(ciphertext) < len(_FORMAT) + _WRAPPED + _NONCE + _TAG:
        raise Unreadable("A sealed value is not in a form that this version knows.")
    try:
        return AESGCM(_ring_key(kid)).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], _bound(context) + kid.encode())
    except InvalidTag:
        raise Unreadable("A sealed value was changed or belongs elsewhere.") from None


def _ring_key(kid: str) -> bytes:
    encoded = settings.IKIRO_KEYRING["keys"].get(kid)
    if encoded is None:
        raise Unreadable(f"The key {kid!r} is not on this installation's key ring.")
    return _derived(kid, str(encoded))


@lru_cache(maxsize=32)
def _derived(kid: str, encoded: str) -> bytes:
    """The ring's key is for several purposes; this one has a key of its own."""
    try:
        material = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise ImproperlyConfigured(f"IKIRO_KEYRING: the key {kid!r} is not base64.") from None
    if len(material) != _KEY:
        raise ImproperlyConfigured(f"IKIRO_KEYRING: the key {kid!r} has {len(material)} bytes instead of {_KEY}.")
    return HKDF(SHA256(), _KEY, salt=None, info=b"ikiro/sealed-values/1").derive(material)


def _bound(context: tuple[str | UUID, ...]) -> bytes:
    """Unambiguous: no two contexts have the same bytes."""
    return msgspec.json.encode([str(part) for part in context])
