"""From a request's header to the claim's name, and what makes two requests the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from gateway.core.idempotency.errors import InvalidKey

LONGEST = 255


def parse(header: str) -> str:
    """The key. Raises InvalidKey unless it is 1 to 255 printable ASCII characters."""
    if not 1 <= len(header) <= LONGEST or not (header.isascii() and header.isprintable()):
        raise InvalidKey(f"Idempotency-Key must be 1 to {LONGEST} printable ASCII characters.")
    return header


def claim_id(caller: str, key: str) -> str:
    """The name that the claim is stored under, 64 hexadecimal digits. ``caller`` is part of it: two callers who chose
    the same key never meet. The key itself is not kept."""
    return _digest([caller.encode(), key.encode()])


def fingerprint(method: str, address: str, headers: Iterable[str], body: bytes) -> str:
    """What must be the same for a request to be the same one: 64 hexadecimal digits. ``address`` is path and query;
    ``headers`` are the values of those that change what the body means, in a fixed order."""
    parts = [method.encode(), address.encode(), *(value.encode() for value in headers), hashlib.sha256(body).digest()]
    return _digest(parts)


def _digest(parts: list[bytes]) -> str:
    """Of the parts with their lengths, so that no two lists run together into the same bytes."""
    made = hashlib.sha256()
    for part in parts:
        made.update(len(part).to_bytes(8, "big") + part)
    return made.hexdigest()
