"""What admission is asked and answers. Times are seconds unless the name says otherwise; money is micro-dollars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class RateLimit:
    """``limit`` requests in ``window_s`` seconds, refilled evenly; all of them may come at once."""

    limit: int
    window_s: int

    def __post_init__(self) -> None:
        if self.limit < 1 or self.window_s < 1:
            raise ValueError("a rate limit admits at least one request in at least one second")


@dataclass(frozen=True, slots=True)
class LeaseDraft:
    """What to hold while the request is worked on.

    ``estimate_micros`` is the upper bound charged when the worker dies. ``facts`` are small JSON values that make the
    entry then: surface, model, provider, key_id, persona_id, subject_id, prompt_tokens, completion_tokens,
    price_version, provider_cost_micros, markup_micros. ``expires_in_s`` None: IKIRO_LEASE_TTL_S; the keeper renews in
    time what is given no less.
    """

    expires_in_s: float | None = None
    estimate_micros: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """One request of one organization, by one of its keys or people. ``quota`` is calls per UTC month, None for
    unlimited. With another ``scope`` than ``organization``, ``org_id`` is whatever that limit belongs to."""

    org_id: UUID
    request_id: UUID
    key_id: UUID | None
    rate: RateLimit
    quota: int | None
    counts_as_call: bool
    lease: LeaseDraft | None = None
    user_id: UUID | None = None
    scope: str = "organization"


@dataclass(frozen=True, slots=True)
class Lease:
    """An open lease. ``month`` (YYYYMM, the store's) is where its call and its money count, whenever it is settled."""

    org_id: UUID
    request_id: UUID
    key_id: UUID | None
    month: str
    opened_at_ms: int
    ttl_s: float
    counts_as_call: bool
    estimate_micros: int
    facts: Mapping[str, Any]
    user_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """An admitted request and what is left. ``facts`` is the decision record's line about limits."""

    allowed: bool
    rate_limit: int
    rate_remaining: int
    rate_reset_s: float
    quota_limit: int | None
    quota_used: int
    quota_reset_at: datetime
    lease: Lease | None
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LimitsView:
    """``usage_now``: what an admission would find at this moment."""

    rate_limit: int
    rate_window_s: int
    rate_remaining: int
    rate_reset_s: float
    quota_limit: int | None
    quota_used: int
    quota_reset_at: datetime
    spent_micros: int
    month: str


class UsageSource(StrEnum):
    """Where the token counts come from: the provider, our estimate, or the part of a stream that was seen."""

    PROVIDER = "provider"
    ESTIMATED = "estimated"
    PARTIAL = "partial"


class Settled(IntEnum):
    """What settling did. ALREADY: somebody settled before, nothing changed. LATE: the lease was reaped or lost, the
    ledger corrects. JOURNALED: on disk, replayed when the store is back. AT_RISK: the disk refused too; in memory."""

    ALREADY = 0
    SETTLED = 1
    LATE = 2
    JOURNALED = 3
    AT_RISK = 4


@dataclass(frozen=True, slots=True)
class Settlement:
    """One attempt's outcome. ``charged_micros`` = ``provider_cost_micros`` + ``markup_micros``.

    ``status`` is the HTTP status answered, ``outcome`` a short code (``ok``, ``cancelled``, ``upstream_error``, …).
    ``record`` is the decision record; above 16 KB its largest parts are replaced by a mark. ``counts_as_call`` False
    gives a counted call back to the quota.
    """

    status: int
    outcome: str
    model: str
    provider: str
    attempt: int = 1
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    memory_recalls: int = 0
    cache_hit: bool = False
    usage_source: UsageSource = UsageSource.PROVIDER
    provider_cost_micros: int = 0
    markup_micros: int = 0
    charged_micros: int = 0
    price_version: str = ""
    latency_ms: int = 0
    ttft_ms: int | None = None
    counts_as_call: bool = True
    record: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.charged_micros != self.provider_cost_micros + self.markup_micros:
            raise ValueError("what is charged is the provider's cost and the markup, to the micro-dollar")


@dataclass(frozen=True, slots=True)
class Note:
    """A trail without a lease, for audit. ``kind`` ``refusal``: counted per key or person, ``reason``, ``surface`` and
    minute and written as one entry a minute. Any other kind (``read``, …): one entry each, with ``data`` (small JSON
    values, no content)."""

    org_id: UUID
    kind: str
    key_id: UUID | None = None
    reason: str = ""
    surface: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    user_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """A call that did not work: what was answered, and when (ms since 1970)."""

    request_id: UUID
    status: int
    code: str
    detail: str
    at_ms: int
