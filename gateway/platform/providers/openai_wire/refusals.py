"""From a provider's refusal to our error. Retry-After survives; a 401 does not: the caller's key is not what was
refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from gateway.core import clock
from gateway.core.egress import UpstreamBroken
from gateway.core.errors import GatewayError, UpstreamError
from gateway.platform.providers.errors import ModelNotFound, UpstreamAuth, UpstreamRateLimited, UpstreamRejected

_MAX_SHOWN = 1000


def refusal(provider: str, model: str, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
    """The error to raise for an answer outside 2xx."""
    said = _said(body)
    message = f"{provider} answered {status}: {said['message']}"
    extra = {"provider_error": said, "provider_status": status}
    retry_after = _retry_after(headers)
    if status in (401, 403):
        return UpstreamAuth(
            f"{provider} does not accept the credentials configured for it.", extra={"provider_status": status}
        )
    if status == 429:
        return UpstreamRateLimited(message, retry_after=retry_after, extra=extra)
    if status == 404:
        return ModelNotFound(f"{provider} does not know the model {model!r}.", extra=extra)
    if status in (400, 413, 415, 422):
        return UpstreamRejected(message, extra=extra)
    return UpstreamError(message, retry_after=retry_after, extra=extra)


def stream_error(provider: str, error: Any) -> UpstreamError:
    """The error to raise for an error in place of an answer, inside a 200."""
    said = _fields(error)
    return UpstreamError(f"{provider} failed: {said['message']}", extra={"provider_error": said})


def broke_off(provider: str) -> UpstreamBroken:
    return UpstreamBroken(f"{provider} ended its answer before it was complete.")


def not_json(provider: str) -> UpstreamBroken:
    return UpstreamBroken(f"{provider} answered 200 with something that is not a completion.")


def _said(body: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {"message": "no explanation"}
    return _fields(value.get("error", value) if isinstance(value, dict) else value)


def _fields(error: Any) -> dict[str, Any]:
    """Message, type, param and code, as far as they are plain text; the rest of a provider's error stays here."""
    if isinstance(error, str):
        return {"message": error[:_MAX_SHOWN]}
    if not isinstance(error, dict):
        return {"message": "no explanation"}
    fields = {
        name: str(error[name])[:_MAX_SHOWN]
        for name in ("message", "type", "param", "code")
        if isinstance(error.get(name), str | int)
    }
    return {"message": "no explanation", **fields}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from ``retry-after-ms``, or ``retry-after`` in seconds or as a date; None when absent or unreadable."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after")
        if value is None:
            return None
        if value.strip().replace(".", "", 1).isdigit():
            return float(value)
        return max(0.0, (parsedate_to_datetime(value) - clock.now()).total_seconds())
    except (ValueError, TypeError):
        return None
