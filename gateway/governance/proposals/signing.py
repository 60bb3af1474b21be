"""Standard Webhooks: how a receiver knows that a call is ours and not an old one.

``webhook-id``, ``webhook-timestamp`` (seconds) and ``webhook-signature``: ``v1,`` and the base64 of HMAC-SHA256 over
``id.timestamp.body``, keyed with what follows ``whsec_`` in the secret, decoded. https://www.standardwebhooks.com
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

from gateway.core.crypto import Secret

PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> Secret:
    """32 random bytes."""
    return Secret(PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode())


def is_secret(text: str) -> bool:
    """Whether this is a secret in the standard's form, of 24 to 64 bytes."""
    try:
        return text.startswith(PREFIX) and 24 <= len(_key(text)) <= 64
    except binascii.Error:
        return False


def headers(message_id: str, timestamp: int, body: bytes, secret: Secret) -> dict[str, str]:
    """The three headers of a signed call."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(_key(secret.reveal()), signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }


def _key(text: str) -> bytes:
    return base64.b64decode(text.removeprefix(PREFIX), validate=True)
