"""What arrives on a usage stream, checked: a ledger line, or a trail for somebody else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from gateway.core import ids
from gateway.platform.ledger.types import MEMORY_ATTEMPT, MEMORY_MODEL, MEMORY_PROVIDER, Source, State

_INT32 = 2**31 - 1
Count = Annotated[int, Meta(ge=0, le=_INT32)]
Micros = Annotated[int, Meta(ge=0, le=2**53)]
Word = Annotated[str, Meta(max_length=64)]
Name = Annotated[str, Meta(max_length=128)]

_SOURCES = {source.word: source for source in Source}
# No answer reached the caller from a worker that died.
_LOST_STATUS, _LOST_OUTCOME = 500, "worker_lost"


class Line(msgspec.Struct, frozen=True):
    """One attempt, as admission's settle writes it. What an older writer does not say has its default."""

    org_id: UUID
    request_id: UUID
    attempt: Annotated[int, Meta(ge=1, le=MEMORY_ATTEMPT)] = 1
    key_id: UUID | None = None
    user_id: UUID | None = None
    surface: Word = ""
    model: Name = ""
    provider: Word = ""
    persona_id: Name | None = None
    subject_id: Name | None = None
    status: Annotated[int, Meta(ge=0, le=999)] = 0
    outcome: Word = ""
    usage_source: Word = "provider"
    calls: Annotated[int, Meta(ge=0, le=1)] = 0
    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    cached_tokens: Count = 0
    memory_recalls: Count = 0
    cache_hit: bool = False
    provider_cost_micros: Micros = 0
    markup_micros: Micros = 0
    charged_micros: Micros = 0
    price_version: Word = ""
    latency_ms: Count = 0
    ttft_ms: Count | None = None
    saved_micros: Micros = 0
    operations: Count = 0
    stream: bool = False
    bounded: bool = False
    own_credential: bool = False
    project_id: UUID | None = None
    token_id: UUID | None = None
    parent_id: UUID | None = None
    alias: Name | None = None


class _OrgOnly(msgspec.Struct):
    org_id: UUID


@dataclass(frozen=True, slots=True)
class Arrival:
    """One decoded stream entry. ``row`` is the ledger row as JSON-able values (None for a trail without a row);
    ``record`` goes to the organization's own schema; ``late`` rows correct an estimate that came before them."""

    org_id: UUID
    row: dict[str, Any] | None
    record: dict[str, Any]
    late: bool


def decode(stream_id: str, fields: Mapping[bytes, bytes]) -> Arrival:
    """The arrival in a stream entry. Raises ValueError, KeyError or msgspec.DecodeError for what is none."""
    kind = fields[b"kind"].decode()
    data = msgspec.json.decode(fields[b"data"])
    if kind == "estimated":
        data = _estimated(data, fields)
    elif kind == "memory":
        data = _memory(data)
    elif kind not in ("settled", "late"):
        org_id = msgspec.convert(data, _OrgOnly).org_id
        return Arrival(org_id, None, {**data, "kind": kind, "stream_id": stream_id}, late=False)
    state = State.ESTIMATED if kind == "estimated" else State.SETTLED
    line = msgspec.convert(data, Line)
    row = _row(line, state)
    noted = "memory" if kind == "memory" else "request"
    record = {**data, "kind": noted, "state": state.word, "day": row["day"], "stream_id": stream_id}
    return Arrival(line.org_id, row, record, late=kind == "late")


def _row(line: Line, state: State) -> dict[str, Any]:
    day = day_of(line.request_id)
    return {
        **msgspec.to_builtins(line),
        "day": day.isoformat(),
        "occurred_at": ids.created_at(line.request_id).isoformat(),
        "state": int(state),
        "usage_source": int(_SOURCES[line.usage_source]),
        # Nothing is what most entries have here, and nothing takes no room.
        "saved_micros": line.saved_micros or None,
        "operations": line.operations or None,
    }


def day_of(request_id: UUID) -> date:
    """The UTC day of a UUIDv7, which is its partition. Raises ValueError for any other id."""
    if request_id.version != 7:
        raise ValueError(f"{request_id} is no UUIDv7, so it has no day")
    return ids.created_at(request_id).date()


def _estimated(facts: dict[str, Any], fields: Mapping[bytes, bytes]) -> dict[str, Any]:
    """A dead worker's entry: what the lease knew, charged as it was estimated."""
    charged = int(fields[b"estimate"])
    cost = min(int(facts.get("provider_cost_micros", charged)), charged)
    opened, reaped = int(fields[b"opened"]), int(fields[b"reaped"])
    return {
        **facts,
        "attempt": 1,
        "status": _LOST_STATUS,
        "outcome": _LOST_OUTCOME,
        "usage_source": Source.ESTIMATED.word,
        "calls": int(fields[b"calls"]),
        "provider_cost_micros": cost,
        "markup_micros": charged - cost,
        "charged_micros": charged,
        "latency_ms": min(max(reaped - opened, 0), _INT32),
    }


def _memory(facts: dict[str, Any]) -> dict[str, Any]:
    """The memory operations of one request. What is beyond the plan is our own service at its own price: it has no
    markup on top."""
    operations, overage = int(facts["operations"]), int(facts.get("overage_micros") or 0)
    if operations < 1:
        raise ValueError("memory operations are at least one")
    return {
        "surface": "v1",
        "price_version": "plan",
        **facts,
        "operations": operations,
        "attempt": MEMORY_ATTEMPT,
        "model": MEMORY_MODEL,
        "provider": MEMORY_PROVIDER,
        "status": 200,
        "outcome": "ok",
        "provider_cost_micros": overage,
        "markup_micros": 0,
        "charged_micros": overage,
    }


def month_bounds(month: str) -> tuple[date, date]:
    """First day of the month ``YYYYMM`` and of the next one."""
    first = datetime(int(month[:4]), int(month[4:]), 1, tzinfo=UTC).date()
    return first, (first + timedelta(days=31)).replace(day=1)
