"""From a settlement to the JSON that travels to the ledger. Bounded here, so that nothing downstream has to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.platform.admission.types import AdmissionRequest, Lease, Settlement

RECORD_BYTES = 16 * 1024
FACTS_BYTES = 4 * 1024
_WOULD_BE = "shadow"

_encode = msgspec.json.Encoder(decimal_format="string").encode

# The ledger's text columns and their widths.
_TEXTS = {"surface": 64, "model": 128, "provider": 64, "persona_id": 128, "subject_id": 128, "price_version": 64}


def clip(text: str | None, length: int) -> str | None:
    """``text`` as the ledger can hold it: no NUL, at most ``length`` characters."""
    return text if text is None else text.replace("\0", "")[:length]


def encode(value: object) -> bytes:
    """JSON; ids as their text, moments as ISO 8601."""
    return _encode(value)


def bounded(record: Mapping[str, Any], limit: int = RECORD_BYTES) -> msgspec.Raw:
    """``record`` as JSON of at most ``limit`` bytes: its largest parts give way to ``{"truncated": <their size>}``;
    before them what only would have been."""
    whole = _encode(record)
    if len(whole) <= limit:
        return msgspec.Raw(whole)
    parts = {str(name)[:64]: msgspec.Raw(_encode(value)) for name, value in record.items()}
    size = len(whole)
    for name in sorted(parts, key=lambda name: (name == _WOULD_BE, len(bytes(parts[name]))), reverse=True):
        if size <= limit:
            break
        mark = _encode({"truncated": len(bytes(parts[name]))})
        size += len(mark) - len(bytes(parts[name]))
        parts[name] = msgspec.Raw(mark)
    shortened = _encode({**parts, "truncated": True})
    return msgspec.Raw(shortened if len(shortened) <= limit else _encode({"truncated": len(whole)}))


def facts_of(request: AdmissionRequest | Lease, facts: Mapping[str, Any]) -> bytes:
    """What a lease holds for the entry that is made should its worker die."""
    named = {name: clip(facts[name], length) for name, length in _TEXTS.items() if name in facts}
    who: dict[str, Any] = {"key_id": request.key_id, "org_id": request.org_id, "request_id": request.request_id}
    if request.user_id is not None:
        who["user_id"] = request.user_id
    if request.token_id is not None:
        who["token_id"] = request.token_id
    encoded = _encode({**facts, **named, **who})
    if len(encoded) > FACTS_BYTES:
        raise ValueError(f"a lease's facts are {len(encoded)} bytes; at most {FACTS_BYTES} fit")
    return encoded


def entry_of(lease: Lease, settlement: Settlement, *, counted: bool) -> bytes:
    """One attempt's ledger entry. ``counted``: it is the one attempt of its request that counts as the call."""
    facts = lease.facts
    given = {
        "user_id": lease.user_id,
        "token_id": lease.token_id,
        "alias": clip(settlement.alias, 128),
        "parent_id": settlement.parent_id,
    }
    who: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if lease.bounded:
        who["bounded"] = True
    if settlement.own_credential:
        who["own_credential"] = True
    if settlement.saved_micros:
        who["saved_micros"] = settlement.saved_micros
    return _encode(
        {
            **who,
            "org_id": lease.org_id,
            "request_id": lease.request_id,
            "attempt": settlement.attempt,
            "key_id": lease.key_id,
            "surface": clip(facts.get("surface", ""), 64),
            "model": clip(settlement.model, 128),
            "provider": clip(settlement.provider, 64),
            "persona_id": clip(facts.get("persona_id"), 128),
            "subject_id": clip(facts.get("subject_id"), 128),
            "stream": settlement.stream,
            "status": settlement.status,
            "outcome": clip(settlement.outcome, 64),
            "usage_source": settlement.usage_source,
            "calls": int(counted),
            "prompt_tokens": settlement.prompt_tokens,
            "completion_tokens": settlement.completion_tokens,
            "cached_tokens": settlement.cached_tokens,
            "memory_recalls": settlement.memory_recalls,
            "cache_hit": settlement.cache_hit,
            "provider_cost_micros": settlement.provider_cost_micros,
            "markup_micros": settlement.markup_micros,
            "charged_micros": settlement.charged_micros,
            "price_version": clip(settlement.price_version, 64),
            "latency_ms": settlement.latency_ms,
            "ttft_ms": settlement.ttft_ms,
            "record": bounded(settlement.record),
        }
    )
