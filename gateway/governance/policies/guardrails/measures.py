"""Lengths, as they can be known before anybody counts tokens: about four bytes of UTF-8 to a token."""

from __future__ import annotations

from collections.abc import Iterable

BYTES_PER_TOKEN = 4


def tokens(size: int) -> int:
    """Estimated tokens of so many bytes, rounded up."""
    return -(-size // BYTES_PER_TOKEN)


def size(texts: Iterable[str]) -> int:
    """Bytes of UTF-8. What cannot be written so (a lone surrogate) counts for one."""
    return sum(len(text.encode("utf-8", "replace")) for text in texts)
