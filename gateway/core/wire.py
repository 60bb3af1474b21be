"""Input types that read what JSON says and nothing near it, for bodies and queries in every slice's ``schemas.py``.

Pydantic's lax reading takes ``true`` for 1, ``"5"`` for 5 and 0.5 for a moment of 1970, so a mistake would pass as
something else; its strict reading refuses times written as text. These take exactly the documented JSON type.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from gateway.core import clock


def _number(value: Any) -> Any:
    if isinstance(value, bool | str):
        raise ValueError("must be a number")
    return value


def _flag(value: Any) -> Any:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _moment(value: Any) -> Any:
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise ValueError("must be a time such as 2026-11-02T09:00:00Z")
    return value


def _zoned(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("must have a time zone, such as a Z at its end")
    return value


Whole = Annotated[int, BeforeValidator(_number)]
Number = Annotated[float, BeforeValidator(_number)]
Flag = Annotated[bool, BeforeValidator(_flag)]
# In UTC, whatever zone it was written in; PostgreSQL refuses offsets that ISO 8601 allows.
Moment = Annotated[datetime, BeforeValidator(_moment), AfterValidator(clock.in_utc)]
ZonedMoment = Annotated[datetime, BeforeValidator(_moment), AfterValidator(_zoned), AfterValidator(clock.in_utc)]
