"""From a written value to a typed one, by the field's kind."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Protocol

from gateway.core import clock, ids
from gateway.core.errors import NotFound
from gateway.platform.requests.errors import InvalidQuery
from gateway.platform.requests.query.terms import Ago, Field, Glob, Kind, Range, Value

# What fits in the columns; beyond it nothing can match.
MAX_AMOUNT = {"status": 599, "ms": 2**31 - 1, "micros": 2**53}
EXAMPLES = {
    "status": ["404", ">=400", "4xx", "400..499"],
    "ms": ["250ms", ">2s", "1s..5s"],
    "micros": [">0.01", "0.001..0.01"],
}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_MAX_AGO_S = 100 * 365 * 86_400
_CLASS = re.compile(r"([1-5])xx", re.IGNORECASE)
_STATUS = re.compile(r"[1-5][0-9]{2}")
_DURATION = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,3}))?(ms|s|m|h)?")
_MS = {None: 1, "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_DOLLARS = re.compile(r"\$?([0-9]{1,10})(?:\.([0-9]{1,6}))?")
_AGO = re.compile(r"([0-9]{1,10})([smhdw])")
_TIMES = ["24h", "7d", "2026-11-02", "2026-11-02T09:00:00Z"]


class Written(Protocol):
    """A value as it stands in the search."""

    @property
    def text(self) -> str: ...
    @property
    def quoted(self) -> bool: ...
    @property
    def at(self) -> int: ...


def read(field: Field, token: Written) -> Value:
    """The value of ``field``. Raises InvalidQuery."""
    match field.kind:
        case Kind.TEXT:
            return Glob(token.text) if "*" in token.text and not token.quoted else token.text
        case Kind.WORD:
            return _one_of(field, token, field.words)
        case Kind.FLAG:
            return _one_of(field, token, ("true", "false")) == "true"
        case Kind.TIME:
            return _time(field, token)
        case Kind.REQUEST:
            return _request(field, token)
        case Kind.AMOUNT:
            return _amounts(field, token)


def _refuse(field: Field, token: Written, allowed: list[str]) -> InvalidQuery:
    return InvalidQuery(f"{token.text[:60]!r} is no value of {field.name}", position=token.at, allowed=allowed)


def _one_of(field: Field, token: Written, words: tuple[str, ...]) -> str:
    if token.text.lower() not in words:
        raise _refuse(field, token, list(words))
    return token.text.lower()


def _request(field: Field, token: Written) -> str:
    try:
        return ids.public("req", ids.parse("req", token.text))
    except NotFound:
        raise _refuse(field, token, ["req_…"]) from None


def _time(field: Field, token: Written) -> Ago | datetime:
    if ago := _AGO.fullmatch(token.text):
        seconds = int(ago[1]) * _SECONDS[ago[2]]
        if seconds > _MAX_AGO_S:
            raise _refuse(field, token, _TIMES)
        return Ago(seconds)
    try:
        moment = datetime.fromisoformat(token.text)
        return clock.in_utc(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise _refuse(field, token, _TIMES) from None


def _amounts(field: Field, token: Written) -> int | Range:
    if field.unit == "status" and (of_class := _CLASS.fullmatch(token.text)):
        first = int(of_class[1]) * 100
        return Range(first, first + 99)
    low, dots, high = token.text.partition("..")
    if not dots:
        return _amount(field, token, low)
    found = Range(_amount(field, token, low), _amount(field, token, high))
    if found.low > found.high:
        raise _refuse(field, token, EXAMPLES[field.unit])
    return found


def _amount(field: Field, token: Written, text: str) -> int:
    value = _UNITS[field.unit](text)
    if value is None or value > MAX_AMOUNT[field.unit]:
        raise _refuse(field, token, EXAMPLES[field.unit])
    return value


def _status(text: str) -> int | None:
    return int(text) if _STATUS.fullmatch(text) else None


def _milliseconds(text: str) -> int | None:
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    factor = _MS[found[3]]
    return int(found[1]) * factor + int((found[2] or "").ljust(3, "0")) * factor // 1000


def _micros(text: str) -> int | None:
    found = _DOLLARS.fullmatch(text)
    return int(found[1]) * 1_000_000 + int((found[2] or "").ljust(6, "0")) if found else None


_UNITS = {"status": _status, "ms": _milliseconds, "micros": _micros}
