"""Values as PostgreSQL's ``jsonb`` and ``text`` can hold them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID


def clean(text: str) -> str:
    """``text`` without NUL and lone surrogates, which PostgreSQL refuses; replacement marks stand in their place."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def plain(value: Any) -> Any:
    """``value`` as JSON stores it: ids, times, decimals and enums as text, sequences as lists, sets sorted.

    Text is cleaned; NaN and the infinities become text. Raises TypeError for what has no such form.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, float | UUID | Decimal):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return [plain(item) for item in sorted(value)]
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [plain(item) for item in value]
    raise TypeError(f"A {type(value).__name__} has no plain form.")


def _key(key: Any) -> str:
    text = key.value if isinstance(key, Enum) else key
    if not isinstance(text, str):
        raise TypeError(f"A plain object's keys are text, not {type(key).__name__}.")
    return clean(text)
