"""What a caller may ask the sandbox to pretend, through string values of the request's ``metadata``. Anything
unreadable is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.platform.providers.errors import UpstreamRejected

ERRORS = ("rate_limited", "server_error", "mid_stream", "timeout")
_MAX_DELAY_MS, _MAX_CHUNK_DELAY_MS = 60_000, 5_000


@dataclass(frozen=True, slots=True)
class Simulation:
    """Delays in seconds. ``tool_call`` is (name, arguments as JSON text) of one of the caller's own tools."""

    delay_s: float = 0.0
    chunk_delay_s: float = 0.0
    error: str | None = None
    reply: str | None = None
    tool_call: tuple[str, str] | None = None


def read(metadata: Any, offered: frozenset[str]) -> Simulation:
    """Read ``metadata``. Raises UpstreamRejected naming the key. Keys that do not begin with ``sandbox.`` mean nothing
    here.
    """
    if not isinstance(metadata, Mapping):
        return Simulation()
    known = {"sandbox.delay_ms", "sandbox.chunk_delay_ms", "sandbox.error", "sandbox.reply", "sandbox.tool_call"}
    for key in metadata:
        if isinstance(key, str) and key.startswith("sandbox.") and key not in known:
            raise _refused(key, f"is unknown; there are {', '.join(sorted(known))}")
    error = metadata.get("sandbox.error")
    if error is not None and error not in ERRORS:
        raise _refused("sandbox.error", f"must be one of {', '.join(ERRORS)}")
    reply = metadata.get("sandbox.reply")
    return Simulation(
        delay_s=_milliseconds(metadata, "sandbox.delay_ms", _MAX_DELAY_MS),
        chunk_delay_s=_milliseconds(metadata, "sandbox.chunk_delay_ms", _MAX_CHUNK_DELAY_MS),
        error=error,
        reply=None if reply is None else str(reply),
        tool_call=_tool_call(metadata.get("sandbox.tool_call"), offered),
    )


def _milliseconds(metadata: Mapping[str, Any], key: str, most: int) -> float:
    text = str(metadata.get(key, "0"))
    if not text.isascii() or not text.isdigit() or int(text) > most:
        raise _refused(key, f"must be a whole number of milliseconds up to {most}")
    return int(text) / 1000


def _tool_call(value: Any, offered: frozenset[str]) -> tuple[str, str] | None:
    if value is None:
        return None
    key = "sandbox.tool_call"
    try:
        wanted = json.loads(value) if isinstance(value, str) else value
        name, arguments = wanted["name"], wanted.get("arguments", {})
    except (ValueError, TypeError, KeyError, AttributeError):
        raise _refused(key, 'must be JSON like {"name": "…", "arguments": {}}') from None
    if name not in offered:
        raise _refused(key, f"names {name!r}, which is not among the tools of this request")
    return name, arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _refused(key: str, why: str) -> UpstreamRejected:
    return UpstreamRejected(
        f"metadata[{key!r}] {why}.", code="sandbox_option_invalid", extra={"param": f"metadata.{key}"}
    )
