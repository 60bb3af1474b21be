"""What ``/v1/requests`` answers: the ledger's facts, and the decision record for one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from ninja import Schema

from gateway.core import ids
from gateway.platform.ledger.types import LedgerEntry
from gateway.platform.requests.types import RequestRecord, decisions_of


class RequestUsageOut(Schema):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    memory_recalls: int = 0
    cache_hit: bool = False


class RequestOut(Schema):
    """One request, by a key or by a person (the other is null). ``status`` is null while it is open; ``attempts``
    counts calls to providers; micro-dollars."""

    request_id: str
    occurred_at: datetime
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
    price_version: str | None
    latency_ms: int | None
    ttft_ms: int | None


class RequestDetailOut(RequestOut):
    """The same with what was decided, stage by stage."""

    decisions: list[dict[str, Any]]


class RequestPageOut(Schema):
    data: list[RequestOut]
    next_cursor: str | None


def settled(entry: LedgerEntry, record: RequestRecord | None) -> dict[str, Any]:
    """The fields of a request that is in the ledger."""
    return {
        "request_id": ids.public("req", entry.request_id),
        "occurred_at": entry.occurred_at,
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
        "price_version": entry.price_version or None,
        "latency_ms": entry.latency_ms,
        "ttft_ms": entry.ttft_ms,
        "decisions": record.decisions if record else [],
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
        "price_version": found.get("price_version"),
        "latency_ms": None if open_ else found.get("latency_ms"),
        "ttft_ms": None if open_ else found.get("ttft_ms"),
        "decisions": decisions_of(record),
    }
