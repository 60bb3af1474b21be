"""The one byte string of a document: canonical JSON as RFC 8785 has it, of the values that need no rule for numbers."""

from __future__ import annotations

import json
from typing import Any


def canonical(document: dict[str, Any]) -> bytes:
    """The bytes that are signed. Raises ValueError for what has no canonical form here: a float, a whole number beyond
    2^53, a key that is not ASCII text."""
    _check(document)
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def _check(value: Any) -> None:
    if value is None or isinstance(value, bool | str):
        return
    if isinstance(value, int) and abs(value) < 2**53:
        return
    if isinstance(value, list):
        for item in value:
            _check(item)
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise ValueError("a key is not ASCII text")
            _check(item)
        return
    raise ValueError(f"a {type(value).__name__} has no canonical form here")
