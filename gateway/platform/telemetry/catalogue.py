"""The product events as JSON Schema: exactly the seed's eight, with exactly its properties. Ids and numbers only."""

from __future__ import annotations

from typing import Any

_ORG = {"type": ["string", "null"], "pattern": "^org_[0-9a-z]{26}$"}
_MS = {"type": "number", "minimum": 0}
_TEXT = {"type": "string", "maxLength": 256}


def _event(about: str, **properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": about,
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


SCHEMAS: dict[str, dict[str, Any]] = {
    "gateway_chat_request": _event(
        "A persona's turn ended, well or not: /v1/chat, or the same over a compatible surface.",
        org_id=_ORG,
        persona_id={"type": ["string", "null"], "maxLength": 128},
        model=_TEXT,
        stream={"type": "boolean"},
        latency_ms=_MS,
    ),
    "gateway_chat_cached": _event(
        "A recall was answered from the cache. cache_key is a keyed hash; ttl_remaining in seconds.",
        org_id=_ORG,
        cache_key={"type": "string", "pattern": "^[0-9a-f]{32}$"},
        ttl_remaining={"type": "integer", "minimum": 0},
    ),
    "gateway_proposal_created": _event(
        "A persona proposed a write.",
        org_id=_ORG,
        proposal_type=_TEXT,
        confidence={"type": "number", "minimum": 0, "maximum": 1},
    ),
    "gateway_proposal_resolved": _event(
        "Somebody decided about a proposal; latency_ms from its creation.",
        org_id=_ORG,
        proposal_id={"type": "string", "pattern": "^prop_[0-9a-z]{26}$"},
        decision={"enum": ["approved", "rejected"]},
        latency_ms=_MS,
    ),
    "gateway_webhook_sent": _event(
        "A webhook was delivered, or given up.",
        org_id=_ORG,
        event_type=_TEXT,
        status_code={"type": ["integer", "null"], "minimum": 100, "maximum": 599},
        retry_count={"type": "integer", "minimum": 0},
    ),
    "gateway_auth_failed": _event(
        "A credential was refused; org_id where it belongs to a known one.",
        org_id=_ORG,
        reason={"enum": ["invalid", "expired", "rate_limited"]},
    ),
    "gateway_rate_limited": _event(
        "A limit refused a request. tier is the plan; limit and current_usage in the limit's own unit.",
        org_id=_ORG,
        tier=_TEXT,
        limit={"type": "integer", "minimum": 0},
        current_usage={"type": "integer", "minimum": 0},
    ),
    "mcp_tool_called": _event(
        "A tool was called over MCP.",
        tool_name=_TEXT,
        persona_id={"type": ["string", "null"], "maxLength": 128},
        latency_ms=_MS,
    ),
}
PROPERTIES: dict[str, tuple[str, ...]] = {name: tuple(schema["properties"]) for name, schema in SCHEMAS.items()}
