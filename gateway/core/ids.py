"""Identifiers: UUIDv7 inside, ``<prefix>_<base32>`` outside.

UUIDv7 (RFC 9562) sorts by creation time, so it serves as the keyset of every list and names the day partition
of a ledger entry. The public form is Crockford base32 in lower case: 26 characters, no look-alikes.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from datetime import UTC, datetime
from functools import lru_cache

from gateway.core.errors import NotFound

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {char: value for value, char in enumerate(_ALPHABET)}
_LENGTH = 26
_CALENDAR_ENDS_MS = 253_402_300_800_000
# Ten bits at a time: every request writes a handful of ids.
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHIFTS = tuple(range(120, -1, -10))
_RANDOM_62, _MS_48 = 2**62 - 1, 2**48 - 1
_making = threading.Lock()
_last = 0
_AT_ONCE = 64
_random: list[bytes] = []


def uuid7() -> uuid.UUID:
    """A new UUIDv7: 48 bits of milliseconds, 74 random bits; each larger than the last that this process made."""
    return uuid.UUID(int=number7())


def number7() -> int:
    """``uuid7`` as its 128-bit number, for whoever needs no more than its two texts (``text_of``, ``base32_of``)."""
    global _last
    with _making:
        made = _number_at(time.time_ns() // 1_000_000, int.from_bytes(_drawn(), "big"))
        if made <= _last:
            # Same millisecond, or the clock went back: one more than the last, stepping over the fixed variant bits.
            low = (_last & _RANDOM_62) + 1
            made = _last & ~_RANDOM_62 | low & _RANDOM_62 if low <= _RANDOM_62 else made
        _last = made
    return made


def _drawn() -> bytes:
    """Ten random bytes. Drawn from the system for many ids at once, because each draw is a system call."""
    if not _random:
        drawn = os.urandom(10 * _AT_ONCE)
        _random.extend(drawn[at : at + 10] for at in range(0, len(drawn), 10))
    return _random.pop()


# A process that is forked off must not make its parent's ids.
os.register_at_fork(after_in_child=_random.clear)


def uuid7_at(milliseconds: int, random: int) -> uuid.UUID:
    """The UUIDv7 of a given moment (milliseconds since the epoch) and 80 bits, of which 74 are used."""
    return uuid.UUID(int=_number_at(milliseconds, random))


def _number_at(milliseconds: int, random: int) -> int:
    return (milliseconds & _MS_48) << 80 | 0x7 << 76 | (random >> 68) << 64 | 0b10 << 62 | random & _RANDOM_62


def text_of(number: int) -> str:
    """A UUID's number as it is usually written."""
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def created_at(value: uuid.UUID) -> datetime:
    """The moment a UUIDv7 was made, in UTC, to the millisecond."""
    return datetime.fromtimestamp((value.int >> 80) / 1000, UTC)


def base32(value: uuid.UUID) -> str:
    """The 26 characters of a UUID."""
    return base32_of(value.int)


def base32_of(number: int) -> str:
    """The 26 characters of a UUID's number."""
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])


def from_base32(text: str) -> uuid.UUID:
    """The UUID of 26 characters. Raises ValueError for anything else."""
    if len(text) != _LENGTH:
        raise ValueError("an id has 26 characters after its prefix")
    number = 0
    for char in text:
        try:
            number = number << 5 | _VALUES[char]
        except KeyError:
            raise ValueError(f"{char!r} is not a character of an id") from None
    return uuid.UUID(int=number & (2**128 - 1)) if number < 2**128 else _overflow()


def _overflow() -> uuid.UUID:
    raise ValueError("not an id")


@lru_cache(maxsize=4096)
def is_sound(value: uuid.UUID) -> bool:
    """Whether this is a UUIDv7 whose moment exists in the calendar. No other id was ever given to anything."""
    return value.version == 7 and value.int >> 80 < _CALENDAR_ENDS_MS


def _sound(value: uuid.UUID) -> uuid.UUID:
    if not is_sound(value):
        raise ValueError("not an id that was ever given")
    return value


def public(prefix: str, value: uuid.UUID) -> str:
    """``public("mem", id)`` → ``mem_01j…``."""
    return f"{prefix}_{base32(value)}"


def parse(prefix: str, text: str) -> uuid.UUID:
    """The UUID behind a public id. A malformed one names nothing, so it is NotFound, never a 500."""
    head, _, tail = text.partition("_")
    try:
        if head != prefix:
            raise ValueError(f"expected {prefix}_…")
        return _sound(from_base32(tail))
    except ValueError as error:
        raise NotFound(f"{text!r} is not the id of anything here ({error}).") from None
