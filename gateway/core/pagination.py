"""Keyset pagination: ``limit`` and ``cursor`` in, ``data`` and ``next_cursor`` out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from gateway.core import ids
from gateway.core.errors import BadRequest, FieldProblem

T = TypeVar("T")
DEFAULT_LIMIT, MAX_LIMIT = 50, 200


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page. ``next_cursor`` is None on the last."""

    data: Sequence[T]
    next_cursor: str | None


def check_limit(limit: int | None) -> int:
    """The page size to use: 1 to 200, 50 when not given. Raises BadRequest outside."""
    if limit is None:
        return DEFAULT_LIMIT
    if not 1 <= limit <= MAX_LIMIT:
        problem = FieldProblem("#/query/limit", "out_of_range", f"must be 1 to {MAX_LIMIT}")
        raise BadRequest(f"limit must be 1 to {MAX_LIMIT}, not {limit}.", problems=(problem,))
    return limit


def encode_cursor(last_id: UUID) -> str:
    """An opaque cursor that continues after the row with this id."""
    return base64.urlsafe_b64encode(last_id.bytes).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> UUID | None:
    """The id a cursor stands for; None for the first page. Raises BadRequest for a cursor of nobody's."""
    if not cursor:
        return None
    try:
        after = UUID(bytes=base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not ids.is_sound(after):
            raise ValueError("no list returned this")
        return after
    except (ValueError, binascii.Error):
        problem = FieldProblem("#/query/cursor", "invalid_cursor", "not a cursor that a list returned")
        raise BadRequest("The cursor is not one that a list returned.", problems=(problem,)) from None


def page(rows: Iterable[Any], limit: int, *, key: Callable[[Any], UUID] = lambda row: row.id) -> Page[Any]:
    """Cut ``limit + 1`` fetched rows into a page."""
    rows = list(rows)
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(rows, encode_cursor(key(rows[-1])) if more else None)
