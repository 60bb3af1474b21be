"""What admission is asked and answers. Times are seconds unless the name says otherwise; money is micro-dollars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from gateway.platform.admission.limits import Applied, Limit, LimitState


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

    ``estimate_micros`` is the upper bound charged when the worker dies; ``tokens`` the upper bound of prompt and answer
    together, for limits on tokens. ``facts`` are small JSON values that make the entry then: surface, model, provider,
    key_id, persona_id, subject_id, prompt_tokens, completion_tokens, price_version, provider_cost_micros,
    markup_micros. ``expires_in_s`` None: IKIRO_LEASE_TTL_S; the keeper renews in time what is given no less.
    """

    expires_in_s: float | None = None
    estimate_micros: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """One request of one organization, by one of its keys, their tokens, or people, under the limits that apply to it.
    With another ``scope`` than ``organization``, ``org_id`` is whatever those limits belong to."""

    org_id: UUID
    request_id: UUID
    key_id: UUID | None
    applied: Applied
    counts_as_call: bool
    lease: LeaseDraft | None = None
    user_id: UUID | None = None
    scope: str = "organization"
    token_id: UUID | None = None

    @property
    def caller(self) -> UUID | None:
        """Whose it is: the key or the person."""
        return self.key_id or self.user_id


@dataclass(frozen=True, slots=True)
class Lease:
    """An open lease. ``month`` and ``day`` (YYYYMM, YYYYMMDD, the store's) are where its call and its money count for
    all ``holders``, whenever it is settled. A ``bounded`` one was granted while the store was away."""

    org_id: UUID
    request_id: UUID
    key_id: UUID | None
    month: str
    day: str
    opened_at_ms: int
    ttl_s: float
    counts_as_call: bool
    estimate_micros: int
    facts: Mapping[str, Any]
    holders: str
    tokens: int = 0
    user_id: UUID | None = None
    token_id: UUID | None = None
    bounded: bool = False


@dataclass(frozen=True, slots=True)
class Admission:
    """An admitted request, and every limit that it passed as it stands now. ``facts`` is the decision record's line
    about limits."""

    states: tuple[LimitState, ...]
    lease: Lease | None
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LimitsState:
    """What an admission would find at this moment, the store's. ``spent_micros`` is the organization's in the month."""

    states: tuple[LimitState, ...]
    now: datetime
    month: str
    day: str
    spent_micros: int = 0


@dataclass(frozen=True, slots=True)
class Payers:
    """Who pays for memory operations beyond the plan: ``holders`` (joined by commas) for all of them, and of those in
    ``shares`` each for so many, in the order of the operations; within ``budgets``."""

    holders: str = "o"
    budgets: Sequence[Limit] = ()
    shares: Mapping[str, int] = field(default_factory=dict)


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
    gives a counted call back to the quota. ``saved_micros`` is what an answer from a cache would have cost; ``alias``
    and ``parent_id`` (the call that this one replays) are None where there is none. ``own_credential``: the
    organization pays the provider itself.
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
    alias: str | None = None
    stream: bool = False
    saved_micros: int = 0
    parent_id: UUID | None = None
    own_credential: bool = False
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
