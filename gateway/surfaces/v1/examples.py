"""A request body for each operation that takes one, as the OpenAPI document shows it. A test sends every one."""

from __future__ import annotations

from typing import Any

from gateway.knowledge.personas.defaults import default_cartridge

_TURN = {"role": "user", "content": "What's due this week?"}
_CARTRIDGE = {**default_cartridge("Acme"), "id": "study-coach"}

EXAMPLES: dict[str, Any] = {
    "chat": {
        "model": "ikiro/sandbox",
        "persona_id": "brand-default",
        "subject_id": "usr_123",
        "memory_scopes": ["gmail", "chat"],
        "messages": [_TURN],
        "stream": False,
        "redact_mode": "default",
    },
    "openai_completions": {"model": "ikiro/sandbox", "messages": [_TURN]},
    "memories_create": {
        "subject_id": "usr_123",
        "text": "The STAT210 quiz is due on Friday at 10:00.",
        "type": "event",
        "provenance": {"source": "gmail", "ref": "msg_123", "snippet": "STAT210 Quiz, Fri 10:00"},
        "confidence": 0.92,
    },
    "memories_recall": {"subject_id": "usr_123", "query": "quiz on Friday", "k": 5, "explain": True},
    "personas_create": {"cartridge": _CARTRIDGE},
    "personas_publish": {"cartridge": {**_CARTRIDGE, "meta": {"version": "1.1.0"}}},
    "policies_put_organization_overlay": {
        "locks": {"denied_models": ["experimental/*"]},
        "defaults": {"redact_mode": "default", "writes": {"approval": "manual"}},
        "precedence": 50,
    },
    "proposals_approve": {"comment": "Yes, please.", "undo_seconds": 10},
    "proposals_reject": {"comment": "Not this one."},
    "keys_create": {"name": "web app", "mode": "test", "scopes": ["chat", "memories:read"]},
}
