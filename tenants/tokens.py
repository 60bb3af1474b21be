"""The text of an API key: ``ik_<mode>_<public id>_<secret><checksum>``.

The checksum lets a mistyped or made-up key be refused before any look-up, and lets a scanner recognise a leaked one.
The public id names the key in logs and survives rotation; only the SHA-256 of the whole text is stored.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass
from functools import lru_cache

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_SHAPE = re.compile(r"ik_(live|test)_([0-9a-hjkmnp-tv-z]{16})_([0-9a-hjkmnp-tv-z]{32})([0-9a-hjkmnp-tv-z]{7})")


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """A well-formed key: its mode, its public id and the hash to compare."""

    mode: str
    public: str
    sha256: bytes


def new_public() -> str:
    return _random(16)


def new_secret(mode: str, public: str) -> str:
    """A new key text for a public id; 160 random bits."""
    body = f"ik_{mode}_{public}_{_random(32)}"
    return body + _checksum(body)


@lru_cache(maxsize=4096)
def parse(text: str) -> ParsedKey | None:
    """The parts of a key text, or None when shape or checksum is wrong. A busy key is taken apart once."""
    match = _SHAPE.fullmatch(text)
    if match is None or _checksum(text[:-7]) != match[4]:
        return None
    return ParsedKey(match[1], match[2], sha256(text))


def sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _checksum(body: str) -> str:
    value = zlib.crc32(body.encode())
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(30, -1, -5))


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
