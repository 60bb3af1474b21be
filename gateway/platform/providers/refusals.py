"""From a provider's refusal to our error, for every wire. Retry-After survives; a 401 does not: the caller's key is
not what was refused. The provider's own key is masked wherever a message repeats it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from gateway.core import clock
from gateway.core.crypto import Secret
from gateway.core.egress import UpstreamBroken
from gateway.core.errors import GatewayError
from gateway.platform.providers.errors import (
    ModelNotFound,
    ProviderFailed,
    UpstreamAuth,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
)
from gateway.platform.providers.masking import masked

_MAX_SHOWN = 1000
_OVERLOADED = 529
# What passes by itself, by the status it comes with. 429 is decided by its Retry-After.
_TRANSIENT = frozenset({408, 409, 425, 429, 500, 502, 503, 504, _OVERLOADED})
# A limit that waiting a moment does not lift.
_SPENT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "credit_balance_too_low"})


@dataclass(frozen=True, slots=True)
class Refusals:
    """The errors of one provider."""

    provider: str
    key: Secret

    def answered(self, model: str, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        """The error for an answer outside 2xx."""
        said = self._said(body)
        words = str(said["message"])
        message = f"{self.provider} answered {status}: {words}"
        extra = {"provider": self.provider, "provider_status": status, "provider_error": said}
        retry_after = _retry_after(headers)
        if status in (401, 403):
            # Its words may name accounts and projects that are the credential owner's business alone.
            detail = f"{self.provider} does not accept the credentials configured for it."
            return UpstreamAuth(detail, said=words, extra={"provider": self.provider, "provider_status": status})
        if status == 404:
            return ModelNotFound(f"{self.provider} does not know the model {model!r}.", extra=extra)
        if status in (400, 413, 415, 422):
            return UpstreamRejected(message, said=words, extra=extra)
        kind = {429: UpstreamRateLimited, _OVERLOADED: UpstreamOverloaded}.get(status, ProviderFailed)
        transient = status in _TRANSIENT and not _SPENT & {said.get("code"), said.get("type")}
        return kind(message, transient=transient, said=words, retry_after=retry_after, extra=extra)

    def inside(self, error: Any) -> ProviderFailed:
        """The error for an error in place of an answer, inside a 200."""
        said = self._fields(error)
        words, kinds = str(said["message"]), f"{said.get('type', '')} {said.get('code', '')}".lower()
        message = f"{self.provider} failed: {words}"
        extra = {"provider": self.provider, "provider_error": said}
        if "authentication" in kinds or "permission" in kinds or "invalid_api_key" in kinds:
            detail = f"{self.provider} does not accept the credentials configured for it."
            return UpstreamAuth(detail, said=words, extra={"provider": self.provider})
        if "invalid_request" in kinds:
            return UpstreamRejected(message, said=words, extra=extra)
        kind: type[ProviderFailed] = ProviderFailed
        if "overloaded" in kinds:
            kind = UpstreamOverloaded
        elif "rate_limit" in kinds or "429" in kinds:
            kind = UpstreamRateLimited
        return kind(message, transient=True, said=words, extra=extra)

    def broke_off(self) -> UpstreamBroken:
        return UpstreamBroken(f"{self.provider} ended its answer before it was complete.")

    def no_answer(self) -> UpstreamBroken:
        return UpstreamBroken(f"{self.provider} answered 200 with something that is not a completion.")

    def gave_up(self, reason: str) -> ProviderFailed:
        """A model that says itself that it stopped for trouble of its own."""
        return ProviderFailed(f"{self.provider} gave up on the answer: {reason}.", transient=True)

    def _said(self, body: bytes) -> dict[str, Any]:
        try:
            value = msgspec.json.decode(body)
        except msgspec.DecodeError:
            return {"message": "no explanation"}
        return self._fields(value.get("error", value) if isinstance(value, dict) else value)

    def _fields(self, error: Any) -> dict[str, Any]:
        """Message, type, param and code, as far as they are plain text; the rest of a provider's error stays here."""
        if isinstance(error, str):
            return {"message": masked(error[:_MAX_SHOWN], self.key)}
        if not isinstance(error, dict):
            return {"message": "no explanation"}
        fields = {
            name: masked(str(error[name])[:_MAX_SHOWN], self.key)
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
