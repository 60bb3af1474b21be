"""A body as it may be kept: every text in it masked, whole, before anything is cut off or written down."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from gateway.governance.policies import redaction
from gateway.governance.policies.types import RedactMode
from gateway.surfaces.bodies.assembly import assembled

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
        return json.dumps(_walk(assembled(text), mode), ensure_ascii=False)
    value = _parsed(body)
    if value is None:
        return redaction.redact(text, mode)
    return json.dumps(_walk(value, mode), ensure_ascii=False)


def _parsed(body: bytes) -> Any:
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _walk(value: Any, mode: RedactMode) -> Any:
    if isinstance(value, str):
        return redaction.redact(value, mode)
    if isinstance(value, dict):
        return {redaction.redact(str(key), mode): _walk(item, mode) for key, item in value.items()}
    if isinstance(value, list):
        return [_walk(item, mode) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        # A card's number without quotes is one all the same.
        written = str(value)
        shown = redaction.redact(written, mode)
        return value if shown == written else shown
    return value
