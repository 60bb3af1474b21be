"""The keys that sign receipts: made of the key ring (HKDF), so there is nothing else to keep or to rotate.

The ring's active key signs. A key's ``kid`` is its JWK thumbprint (RFC 7638), so it says which key it is, whatever the
ring calls it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings


def active_key() -> tuple[str, bytes]:
    """(kid, the 32 bytes of the public key) that signs now."""
    raw = _active().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return thumbprint(raw), raw


def sign(message: bytes) -> bytes:
    """64 bytes of Ed25519 by the active key."""
    return _active().sign(message)


def is_genuine(message: bytes, signature: bytes, public_key: bytes) -> bool:
    """Whether this key signed this message."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def thumbprint(public_key: bytes) -> str:
    """RFC 7638, of an Ed25519 key."""
    text = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": encoded(public_key)}, separators=(",", ":"))
    return encoded(hashlib.sha256(text.encode()).digest())


def encoded(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(text: str) -> bytes:
    """The bytes again. Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _active() -> Ed25519PrivateKey:
    ring = settings.IKIRO_KEYRING
    return _derived(str(ring["keys"][ring["active"]]))


@lru_cache(maxsize=64)
def _derived(encoded_secret: str) -> Ed25519PrivateKey:
    secret = base64.b64decode(encoded_secret)
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"ikiro receipts v1").derive(secret)
    return Ed25519PrivateKey.from_private_bytes(derived)
