"""Shapes of `/v1/usage`. Money is micro-dollars."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Field, Schema

from gateway.core import ids
from gateway.platform.ledger.usage import Group, Sums

_PREFIXES = {"key_id": "key", "user_id": "usr", "project_id": "prj"}


class UsageLatencyOut(Schema):
    """Milliseconds, to within a few per cent; null while nothing was timed."""

    p50: int | None
    p95: int | None
    p99: int | None
    mean: int | None


class UsageSumsOut(Schema):
    """`attempts` counts calls to providers; `errors` those that ended with a status of 400 or above; `unpriced_calls`
    those of models without a price, which are charged nothing until they have one; `saved_micros` is what answers from
    the response cache would have cost; `direct_micros` is the part of the provider's cost that you pay there
    yourselves."""

    calls: int
    attempts: int
    errors: int
    unpriced_calls: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int
    memory_recalls: int
    memory_operations: int
    cache_hits: int
    saved_micros: int
    provider_cost_micros: int
    markup_micros: int
    charged_micros: int
    direct_micros: int
    latency_ms: UsageLatencyOut


class UsageGroupOut(UsageSumsOut):
    """One group. Of the first ten fields those are there that were grouped by, null where a call had none."""

    day: str | None = None
    hour: datetime | None = None
    model: str | None = None
    provider: str | None = None
    key_id: str | None = None
    user_id: str | None = None
    persona_id: str | None = None
    subject_id: str | None = None
    project_id: str | None = None
    status: str | None = Field(None, description="`2xx`, `4xx`, `5xx`, or `correction` of an estimated call.")
    surface: str | None = None


class UsageReportOut(Schema):
    """Sums over `from` to `to` (excluded): all of it, and in groups."""

    from_: datetime = Field(alias="from")
    to: datetime
    group_by: list[str]
    totals: UsageSumsOut
    data: list[UsageGroupOut]
    next_cursor: str | None


def sums(found: Sums) -> dict[str, Any]:
    """The fields of ``UsageSumsOut``."""
    return {
        "calls": found.calls,
        "attempts": found.entries,
        "errors": found.errors,
        "unpriced_calls": found.unpriced,
        "prompt_tokens": found.prompt_tokens,
        "completion_tokens": found.completion_tokens,
        "total_tokens": found.prompt_tokens + found.completion_tokens,
        "cached_tokens": found.cached_tokens,
        "memory_recalls": found.memory_recalls,
        "memory_operations": found.memory_operations,
        "cache_hits": found.cache_hits,
        "saved_micros": found.saved_micros,
        "provider_cost_micros": found.provider_cost_micros,
        "markup_micros": found.markup_micros,
        "charged_micros": found.charged_micros,
        "direct_micros": found.direct_micros,
        "latency_ms": {
            "p50": found.percentile(0.50),
            "p95": found.percentile(0.95),
            "p99": found.percentile(0.99),
            "mean": round(found.latency_ms / found.timed) if found.timed else None,
        },
    }


def group(found: Group) -> dict[str, Any]:
    """The fields of ``UsageGroupOut``: the group's own, then its sums."""
    return {name: _shown(name, value) for name, value in found.key.items()} | sums(found.sums)


def _shown(name: str, value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    return ids.public(_PREFIXES[name], value) if name in _PREFIXES else value.isoformat()
