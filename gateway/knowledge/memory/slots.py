"""Slots: attributes of a subject, and when two values of one are the same or contradict each other. Pure.

A slot has one current value (``home.city``) unless its last part names things that one has several of: a plural
(``pets``, ``languages``), one of the words below, or whatever ends in ``[]``. A value that is written into the slot
(``likes:tea``) makes a slot of its own.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from gateway.knowledge.memory.wording import normal

_PARTS = re.compile(r"[.:/\s_-]+")


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Of these one may have several at once although the word is not a plural.
SEVERAL = _listed(
    """allergy child diet email equipment family favorite favourite friend goal habit hobby interest kid language
    medication note pet phone plan project purchase sibling skill tag trip visited wish"""
)
_NO_PLURAL = ("ss", "us", "is", "as", "ous")


def name_of(slot: str) -> str:
    """The slot as it is stored and compared: in lower case, without space around it."""
    return normal(slot)


def is_single(slot: str) -> bool:
    """Whether a subject has one value of this slot at a time."""
    if slot.endswith("[]"):
        return False
    last = [part for part in _PARTS.split(slot) if part][-1:] or [slot]
    return last[0] not in SEVERAL and (not last[0].endswith("s") or last[0].endswith(_NO_PLURAL))


def value_key(value: Any) -> bytes | None:
    """What two equal values have in common: SHA-256 of the value with case and white space evened out. None for no
    value, which equals nothing."""
    if value is None:
        return None
    even = json.dumps(_even(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(even.encode("utf-8", "replace")).digest()


def _even(value: Any) -> Any:
    match value:
        case str():
            return normal(value)
        case dict():
            return {normal(str(name)): _even(part) for name, part in value.items()}
        case list() | tuple():
            return [_even(part) for part in value]
        case float() if value.is_integer():
            return int(value)
    return value
