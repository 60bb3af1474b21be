"""A body as it may be kept: every text in it masked, whole, before anything is cut off or written down."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from gateway.governance.policies import redaction
from gateway.governance.policies.types import RedactMode
from gateway.surfaces.bodies.assembly import assembled

_NUMBERS = frozenset({"created", "created_at", "completed_at", "expires_at", "seed", "usage"})
_LONG = 10**11
_STRICTNESS = list(RedactMode)
_decode = msgspec.json.Decoder().decode


def at_least_default(*modes: str | RedactMode | None) -> RedactMode:
    """The strictest of these, and never less than ``default``: keeping is not answering."""
    return max((RedactMode.DEFAULT, *(RedactMode(mode) for mode in modes if mode)), key=_STRICTNESS.index)


def asked_mode(body: bytes) -> str | None:
    """The stricter masking that a request asked for itself, if it did."""
    value = _parsed(body)
    asked = value.get("redact_mode") if isinstance(value, dict) else None
    return asked if asked in set(RedactMode) else None


def masked(body: bytes, content_type: str, mode: RedactMode) -> str:
    """The body as text in which every text is masked. A stream is put together first: a secret may lie across two of
    its events."""
    text = body.decode("utf-8", "replace")
    if content_type.startswith("text/event-stream"):
        return _masked(assembled(text), mode)
    value = _parsed(body)
    if value is None:
        return redaction.redact(text, mode)
    return _masked(value, mode)


def _parsed(body: bytes) -> Any:
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _masked(value: Any, mode: RedactMode) -> str:
    """The value, masked, as JSON. Times and counts of the dialects stand at the top of what they say, or of the answer
    that an event carries, and are nobody's telephone number."""
    return json.dumps(_envelope(value, mode, deeper=("last", "response", "message")), ensure_ascii=False)


def _envelope(value: Any, mode: RedactMode, *, deeper: tuple[str, ...]) -> Any:
    if not isinstance(value, dict):
        return redaction.redact_value(value, mode)
    shown: dict[str, Any] = {}
    for key, item in value.items():
        if key in _NUMBERS and _is_small(item):
            shown[key] = item
        elif key in deeper and isinstance(item, dict):
            shown[key] = _envelope(item, mode, deeper=deeper)
        else:
            shown |= redaction.redact_value({key: item}, mode)
    return shown


def _is_small(value: Any) -> bool:
    """Whether this is a time or a count, or counts by name: nothing as long as an account's number."""
    if isinstance(value, dict):
        return all(key.replace("_", "").isalpha() and _is_small(item) for key, item in value.items())
    return value is None or (isinstance(value, int | float) and abs(value) < _LONG)
