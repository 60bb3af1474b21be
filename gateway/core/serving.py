"""The request that is being served, for what must know it without being told: log lines and outbound headers.

``call`` is its ``Call``, None outside one. ``upstream`` is the W3C ``traceparent`` that calls to a model's provider
carry on: the caller's own when this process records no traces, else that of the span around the call; empty for none.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Any

call: ContextVar[Any] = ContextVar("call", default=None)
upstream: ContextVar[str] = ContextVar("traceparent", default="")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?\Z", re.A)


def sound(traceparent: str) -> bool:
    """Whether this is a ``traceparent`` that may be passed on; anything else is dropped, as the standard asks."""
    return (
        len(traceparent) <= 256
        and _TRACEPARENT.match(traceparent) is not None
        and (len(traceparent) == 55 or not traceparent.startswith("00"))
    )


def headers() -> dict[str, str]:
    """The header for a call upstream, or none."""
    traceparent = upstream.get()
    return {"traceparent": traceparent} if traceparent else {}
