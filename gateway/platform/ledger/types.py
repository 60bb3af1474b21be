"""The ledger as other slices see it. Money is integer micro-dollars, durations are milliseconds, days are UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum
from uuid import UUID

# Entries that correct an estimated attempt n carry the attempt number n + this.
CORRECTION = 1000
# The memory operations of a request are an entry of their own under this number, which no attempt reaches.
MEMORY_ATTEMPT = CORRECTION - 1
# What they are called where others name their model and provider.
MEMORY_MODEL, MEMORY_PROVIDER = "ikiro/memory", "ikiro"
# The key of the roll-up where a request had none; likewise a person's or a project's id.
NO_KEY = UUID(int=0)
# Where the roll-ups' histogram of latencies divides, in milliseconds; below the first and above the last are places
# as well.
LATENCY_BOUNDS = (
    1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 300, 500, 800,
    1_200, 2_000, 3_000, 5_000, 8_000, 12_000, 20_000, 30_000, 60_000,
)  # fmt: skip


class State(IntEnum):
    """``estimated``: the worker died and the lease's estimate was charged. ``correction``: the difference to the truth,
    found later."""

    SETTLED = 1
    ESTIMATED = 2
    CORRECTION = 3

    @property
    def word(self) -> str:
        return self.name.lower()


class Source(IntEnum):
    """Where token counts come from."""

    PROVIDER = 1
    ESTIMATED = 2
    PARTIAL = 3

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One request: all its attempts together. Amounts are sums; status, model, provider, source and latency are the
    last attempt's. ``state`` is ``estimated`` until a correction came."""

    org_id: UUID
    request_id: UUID
    day: date
    occurred_at: datetime
    attempts: int
    key_id: UUID | None
    surface: str
    model: str
    provider: str
    status: int
    outcome: str
    state: str
    usage_source: str
    persona_id: str | None
    subject_id: str | None
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    memory_recalls: int
    cache_hit: bool
    provider_cost_micros: int
    markup_micros: int
    charged_micros: int
    price_version: str
    latency_ms: int
    ttft_ms: int | None
    user_id: UUID | None = None
    alias: str | None = None
    stream: bool = False
    bounded: bool = False
    saved_micros: int = 0
    project_id: UUID | None = None
    token_id: UUID | None = None
    parent_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries. None means any; ``since`` and ``until`` bound the request's moment (until excluded)."""

    key_id: UUID | None = None
    user_id: UUID | None = None
    status: int | None = None
    state: str | None = None
    model: str | None = None
    surface: str | None = None
    persona_id: str | None = None
    subject_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class EntryPage:
    """``next_cursor`` is the request id to continue after, None at the end."""

    entries: tuple[LedgerEntry, ...]
    next_cursor: UUID | None


@dataclass(frozen=True, slots=True)
class MonthTotals:
    """Sums of one UTC month."""

    month: str
    calls: int
    entries: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    memory_recalls: int
    provider_cost_micros: int
    markup_micros: int
    charged_micros: int
