"""What a call of one of our write tools says: a write to propose, or why it is none."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.engine.chat.write_tools import MEMORY_FIELDS, MEMORY_TYPES, MEMORY_UPSERT, WRITE_FIELDS

MEMORY_WRITE = "memory.upsert"
_TYPE = re.compile(r"[a-z][a-z0-9_]{0,31}(\.[a-z][a-z0-9_]{0,31}){1,3}\Z")
_DEFAULT_CONFIDENCE = 0.5
_MAX_TEXT, _MAX_SLOT = 4000, 128
_NUMBER = re.compile(r"\[?m?(\d{1,6})\]?")


@dataclass(frozen=True, slots=True)
class ProposedWrite:
    """``type`` like ``memory.upsert`` or ``calendar.create``; ``confidence`` from 0 to 1; ``memory`` is the number of
    the recalled memory that the model named as its source (unchecked); ``ignored`` names fields that meant nothing.
    """

    type: str
    payload: dict[str, Any]
    confidence: float
    call_id: str | None
    memory: int | None = None
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RejectedWrite:
    """``reason``: malformed_json, not_an_object, missing_text, text_too_long, invalid_type, invalid_payload,
    invalid_confidence, duplicate_id, nameless, too_large, too_many. Kept for the decision record; holds nothing of what
    the call said.
    """

    tool: str
    call_id: str | None
    reason: str


def read_call(tool: str, call_id: str | None, arguments: str) -> ProposedWrite | RejectedWrite:
    """Read the arguments of a finished call."""
    try:
        fields = json.loads(arguments, parse_constant=_not_json)
    except (ValueError, RecursionError):
        return RejectedWrite(tool, call_id, "malformed_json")
    if not isinstance(fields, dict):
        return RejectedWrite(tool, call_id, "not_an_object")
    confidence = _confidence(fields.get("confidence"))
    if confidence is None:
        return RejectedWrite(tool, call_id, "invalid_confidence")
    source = _source(fields.get("memory"))
    if tool == MEMORY_UPSERT:
        return _memory(tool, call_id, fields, confidence, source)
    kind, payload = fields.get("type"), fields.get("payload")
    if not isinstance(kind, str) or not _TYPE.match(kind):
        return RejectedWrite(tool, call_id, "invalid_type")
    if not isinstance(payload, dict):
        return RejectedWrite(tool, call_id, "invalid_payload")
    if kind == MEMORY_WRITE:
        return _memory(tool, call_id, payload, confidence, source)
    return ProposedWrite(kind, payload, confidence, call_id, source, _ignored(fields, WRITE_FIELDS))


def _memory(
    tool: str, call_id: str | None, fields: dict[str, Any], confidence: float, source: int | None
) -> ProposedWrite | RejectedWrite:
    text = fields.get("text")
    if not isinstance(text, str) or not text.strip():
        return RejectedWrite(tool, call_id, "missing_text")
    if len(text) > _MAX_TEXT:
        return RejectedWrite(tool, call_id, "text_too_long")
    payload: dict[str, Any] = {"text": text.strip()}
    kind = fields.get("type")
    payload["type"] = kind if kind in MEMORY_TYPES else "fact"
    slot, occurred_at = fields.get("slot"), _moment(fields.get("occurred_at"))
    if isinstance(slot, str) and slot.strip():
        payload["slot"] = slot.strip()[:_MAX_SLOT]
    if occurred_at is not None:
        payload["occurred_at"] = occurred_at
    if fields.get("value") is not None:
        payload["value"] = fields["value"]
    return ProposedWrite(MEMORY_WRITE, payload, confidence, call_id, source, _ignored(fields, MEMORY_FIELDS))


def _confidence(value: Any) -> float | None:
    if value is None:
        return _DEFAULT_CONFIDENCE
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return min(1.0, max(0.0, float(value)))


def _moment(value: Any) -> str | None:
    """A moment as the memory wants it, with an offset; UTC is assumed where the model gave none, and nonsense is
    dropped.
    """
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _source(value: Any) -> int | None:
    """A memory's number, given as 3, "3", "m3" or "[m3]"."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _NUMBER.fullmatch(value.strip()) if isinstance(value, str) else None
    return int(match[1]) if match else None


def _ignored(fields: dict[str, Any], known: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(name[:64] for name in fields if name not in known))


def _not_json(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
