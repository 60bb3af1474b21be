"""Signing certificates of identity providers: read strictly, shown by subject and fingerprint."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

_LEAST_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of a certificate."""

    subject: str
    fingerprint_sha256: str
    expires_at: datetime


def normal(text: str) -> str:
    """One PEM certificate from PEM or bare base64. Raises ValueError, saying why it cannot be used."""
    body = "".join(line for line in text.strip().splitlines() if "-----" not in line)
    try:
        found = x509.load_der_x509_certificate(base64.b64decode("".join(body.split()), validate=True))
        key = found.public_key()
    except (binascii.Error, ValueError, TypeError):
        raise ValueError("is not an X.509 certificate in PEM form") from None
    if isinstance(key, RSAPublicKey) and key.key_size < _LEAST_RSA_BITS:
        raise ValueError(f"has an RSA key of {key.key_size} bits; at least {_LEAST_RSA_BITS} are needed")
    if not isinstance(key, RSAPublicKey | EllipticCurvePublicKey):
        raise ValueError("has a key that signs no assertions (RSA or elliptic curve is needed)")
    return found.public_bytes(Encoding.PEM).decode()


def shown(pem: str) -> Shown:
    """What to show of a certificate that ``normal`` made."""
    found = x509.load_pem_x509_certificate(pem.encode())
    digits = found.fingerprint(SHA256()).hex().upper()
    pairs = ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))
    return Shown(found.subject.rfc4514_string(), pairs, found.not_valid_after_utc)
