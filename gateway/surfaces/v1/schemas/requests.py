"""What ``/v1/requests`` answers: the ledger's facts, and the decision record for one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from ninja import Field, Schema
from pydantic import ConfigDict

from gateway.core import ids
from gateway.core.wire import Whole
from gateway.platform.ledger.types import LedgerEntry
from gateway.platform.requests.types import RecordKind, RequestRecord, decisions_of


class RequestUsageOut(Schema):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    memory_recalls: int = 0
    cache_hit: bool = False


class RequestOut(Schema):
    """One request, by a key or by a person (the other is null). ``status`` is null while it is open; ``attempts``
    counts calls to providers; micro-dollars. ``kind`` ``refusal``: it was refused before any work began, and cost
    nothing. ``parent_id``: the request that it replays. ``saved_micros``: what it would have cost, had the cache not
    answered it."""

    request_id: str
    occurred_at: datetime
    kind: str
    parent_id: str | None
    surface: str
    status: int | None
    state: str
    outcome: str | None
    model: str | None
    provider: str | None
    key_id: str | None
    user_id: str | None
    persona_id: str | None
    persona_version: int | None
    subject_id: str | None
    attempts: int
    usage: RequestUsageOut
    usage_source: str | None
    provider_cost_micros: int
    markup_micros: int
    charged_micros: int
    saved_micros: int
    price_version: str | None
    latency_ms: int | None
    ttft_ms: int | None


class RequestDetailOut(RequestOut):
    """The same with what was decided, stage by stage. ``decision`` is the line that refused it, null where none did;
    ``shadow`` is what policy overlays in shadow would have decided otherwise (``changes`` has ``before`` and ``after``
    of each decision), null where none speaks of it; ``bodies`` are the parts of it that were kept."""

    decisions: list[dict[str, Any]]
    decision: dict[str, Any] | None
    shadow: dict[str, Any] | None
    bodies: list[str]


class RequestPageOut(Schema):
    data: list[RequestOut]
    next_cursor: str | None


class FacetValueOut(Schema):
    value: str
    count: int


class FacetOut(Schema):
    """One field of the search language: what its values look like, and the most frequent of the newest requests."""

    field: str
    examples: list[str]
    values: list[FacetValueOut]


class RequestFacetsOut(Schema):
    """``looked_at`` is how many of the newest requests the counts are of."""

    fields: list[FacetOut]
    looked_at: int


class RequestBodyPartOut(Schema):
    """One kept body after masking. ``size`` is what it had in bytes before; ``truncated``: only its beginning was
    kept, or nothing of it."""

    part: str
    path: str
    content_type: str
    size: int
    truncated: bool
    expires_at: datetime
    body: str


class RequestBodiesOut(Schema):
    request_id: str
    parts: list[RequestBodyPartOut]


class ReplayIn(Schema):
    """What to change before the request runs again; null leaves it."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    persona_version: Annotated[Whole, Field(ge=1, le=2**31 - 1)] | None = None


def refusing_line(decisions: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The line of a decision record that refused, the first where several followed from it."""
    return next((line for line in decisions if line.get("verdict") == "refused"), None)


def settled(entry: LedgerEntry, record: RequestRecord | None) -> dict[str, Any]:
    """The fields of a request that is in the ledger."""
    return {
        "request_id": ids.public("req", entry.request_id),
        "occurred_at": entry.occurred_at,
        "kind": RecordKind.REQUEST,
        "parent_id": ids.public("req", entry.parent_id) if entry.parent_id else None,
        "surface": entry.surface,
        "status": entry.status,
        "state": entry.state,
        "outcome": entry.outcome,
        "model": entry.model or None,
        "provider": entry.provider or None,
        "key_id": ids.public("key", entry.key_id) if entry.key_id else None,
        "user_id": ids.public("usr", entry.user_id) if entry.user_id else None,
        "persona_id": entry.persona_id,
        "persona_version": record.record.get("persona_version") if record else None,
        "subject_id": entry.subject_id,
        "attempts": max(entry.attempts, record.record.get("attempts", 1) if record else 1),
        "usage": RequestUsageOut(
            prompt_tokens=entry.prompt_tokens,
            completion_tokens=entry.completion_tokens,
            total_tokens=entry.prompt_tokens + entry.completion_tokens,
            memory_recalls=entry.memory_recalls,
            cache_hit=entry.cache_hit,
        ),
        "usage_source": entry.usage_source,
        "provider_cost_micros": entry.provider_cost_micros,
        "markup_micros": entry.markup_micros,
        "charged_micros": entry.charged_micros,
        "saved_micros": entry.saved_micros,
        "price_version": entry.price_version or None,
        "latency_ms": entry.latency_ms,
        "ttft_ms": entry.ttft_ms,
        "decisions": record.decisions if record else [],
        "shadow": record.record.get("shadow") if record else None,
    }


def recorded(record: RequestRecord) -> dict[str, Any]:
    """The fields of a request that the ledger has nothing of: it was refused before any work began, or its entry was
    let go of."""
    return {
        "request_id": record.public_id,
        "occurred_at": record.occurred_at,
        "kind": record.kind,
        "parent_id": ids.public("req", record.parent_id) if record.parent_id else None,
        "surface": record.surface,
        "status": record.status,
        "state": record.state,
        "outcome": record.outcome,
        "model": record.model,
        "provider": record.provider,
        "key_id": record.key_id,
        "user_id": record.user_id,
        "persona_id": record.persona_id,
        "persona_version": record.record.get("persona_version"),
        "subject_id": record.subject_id,
        "attempts": int(record.record.get("attempts") or 0),
        "usage": RequestUsageOut(),
        "usage_source": None,
        "provider_cost_micros": 0,
        "markup_micros": 0,
        "charged_micros": record.charged_micros or 0,
        "saved_micros": 0,
        "price_version": None,
        "latency_ms": record.latency_ms,
        "ttft_ms": None,
        "decisions": record.decisions,
        "shadow": record.record.get("shadow"),
    }


def on_its_way(found: dict[str, Any]) -> dict[str, Any]:
    """The fields of a request that is open, or settled a moment ago; ``found`` is what admission holds of it."""
    open_ = found["state"] == "open"
    request_id, key_id, user_id = UUID(found["request_id"]), found.get("key_id"), found.get("user_id")
    prompt, completion = int(found.get("prompt_tokens") or 0), int(found.get("completion_tokens") or 0)
    opened = found.get("opened_at_ms")
    record = found.get("record") or {}
    return {
        "request_id": ids.public("req", request_id),
        "occurred_at": datetime.fromtimestamp(opened / 1000, UTC) if opened else ids.created_at(request_id),
        "kind": RecordKind.REQUEST,
        "parent_id": ids.public("req", UUID(found["parent_id"])) if found.get("parent_id") else None,
        "surface": found.get("surface") or "",
        "status": None if open_ else found.get("status"),
        "state": found["state"],
        "outcome": None if open_ else found.get("outcome"),
        "model": found.get("model"),
        "provider": found.get("provider"),
        "key_id": ids.public("key", UUID(key_id)) if key_id else None,
        "user_id": ids.public("usr", UUID(user_id)) if user_id else None,
        "persona_id": found.get("persona_id"),
        "persona_version": record.get("persona_version"),
        "subject_id": found.get("subject_id"),
        "attempts": 0 if open_ else int(record.get("attempts") or 1),
        "usage": RequestUsageOut()
        if open_
        else RequestUsageOut(
            prompt_tokens=prompt,
            completion_tokens=completion,
            total_tokens=prompt + completion,
            memory_recalls=int(found.get("memory_recalls") or 0),
            cache_hit=bool(found.get("cache_hit")),
        ),
        "usage_source": None if open_ else found.get("usage_source"),
        "provider_cost_micros": 0 if open_ else int(found.get("provider_cost_micros") or 0),
        "markup_micros": 0 if open_ else int(found.get("markup_micros") or 0),
        "charged_micros": 0 if open_ else int(found.get("charged_micros") or 0),
        "saved_micros": 0 if open_ else int(found.get("saved_micros") or 0),
        "price_version": found.get("price_version"),
        "latency_ms": None if open_ else found.get("latency_ms"),
        "ttft_ms": None if open_ else found.get("ttft_ms"),
        "decisions": decisions_of(record),
        "shadow": record.get("shadow"),
    }
