"""Masking inside a JSON value. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from gateway.governance.policies.redaction.stream import redact
from gateway.governance.policies.terms import RedactMode

Change = Callable[[str], str]


def redact_value(value: Any, mode: RedactMode | str) -> Any:
    """The value with everything in it masked that ``mode`` masks."""
    return each_text(value, lambda text: redact(text, mode))


def each_text(value: Any, change: Change, *, keep: Collection[str] = ()) -> Any:
    """The value with every text in it changed: strings, keys, and numbers, which stay numbers unless they change. What
    stands under a key in ``keep`` is left alone."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {
            key if key in keep else change(key): item if key in keep else each_text(item, change, keep=keep)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [each_text(item, change, keep=keep) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        written = str(value)
        shown = change(written)
        return value if shown == written else shown
    return value
