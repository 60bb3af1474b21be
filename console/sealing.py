"""Values that travel through the browser and that nobody there may read or change: AES-GCM, one key per purpose."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import time
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_NONCE = 12


@cache
def _cipher(secret: str, purpose: str) -> AESGCM:
    derived = HKDF(SHA256(), 32, salt=b"ikiro-console", info=purpose.encode()).derive(secret.encode())
    return AESGCM(derived)


def seal(value: Any, purpose: str) -> str:
    """JSON, encrypted for one purpose: a value sealed for another does not open."""
    nonce = secrets.token_bytes(_NONCE)
    text = json.dumps([int(time.time()), value], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(nonce + _cipher(settings.SECRET_KEY, purpose).encrypt(nonce, text, None)).decode()


def unseal(sealed: str, purpose: str, *, max_age: float) -> Any:
    """What was sealed, or None: forged, sealed for another purpose, or older than ``max_age`` seconds."""
    try:
        raw = base64.urlsafe_b64decode(sealed.encode())
        text = _cipher(settings.SECRET_KEY, purpose).decrypt(raw[:_NONCE], raw[_NONCE:], None)
    except (binascii.Error, ValueError, InvalidTag):
        return None
    sealed_at, value = json.loads(text)
    return value if 0 <= time.time() - sealed_at + 5 <= max_age + 5 else None
