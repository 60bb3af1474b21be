"""A provider's words without the key that they may repeat."""

from __future__ import annotations

import re

from gateway.core.crypto import Secret

_WORD = re.compile(r"[\w.*…-]{6,}")
_SHARED = 6


def last4(key: Secret) -> str:
    """The end of a key by which people recognise it; nothing of one that is too short to spare four characters."""
    text = key.reveal()
    return text[-4:] if len(text) >= 16 else ""


def masked(text: str, key: Secret) -> str:
    """``text`` with the key, and every word that shares six characters in a row with it, replaced by ``…last4``."""
    secret = key.reveal()
    if not secret or not text:
        return text
    shown = f"…{last4(key)}"
    text = text.replace(secret, shown)
    parts = {secret[at : at + _SHARED] for at in range(len(secret) - _SHARED + 1)}

    def hidden(found: re.Match[str]) -> str:
        word = found[0]
        return shown if any(word[at : at + _SHARED] in parts for at in range(len(word) - _SHARED + 1)) else word

    return _WORD.sub(hidden, text)
