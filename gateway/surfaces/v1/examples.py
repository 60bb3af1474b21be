"""A request body for each operation that takes one, as the OpenAPI document shows it. A test sends every one."""

from __future__ import annotations

from typing import Any

from gateway.knowledge.personas.defaults import default_cartridge

_TURN = {"role": "user", "content": "What's due this week?"}
_CARTRIDGE = {**default_cartridge("Acme"), "id": "study-coach"}

EXAMPLES: dict[str, Any] = {
    "flags_put": {"value": False, "reason": "Until the receiver is ready."},
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
    "openai_create_response": {"model": "ikiro/sandbox", "input": "What do you know about me?"},
    "openai_embeddings": {"model": "ikiro/sandbox", "input": ["green tea", "black coffee"], "dimensions": 64},
    "anthropic_create_message": {"model": "ikiro/sandbox", "max_tokens": 500, "messages": [_TURN]},
    "anthropic_count_tokens": {"model": "ikiro/sandbox", "messages": [_TURN]},
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
    "providers_create": {
        "name": "our-models",
        "kind": "openai",
        "base_url": "https://models.example.com/v1",
        "api_key": "sk-example-0123456789",
    },
    "providers_change": {"state": "disabled"},
    "prices_put": {"prompt": "3.00", "completion": "12.00", "cached": "0.30"},
    "billing_change_plan": {"plan": "business", "preview": True},
    "billing_create_reconciliation": {
        "provider": "openai",
        "csv": "date,model,cost_usd\n2026-11-02,gpt-4o-mini,0.42\n",
    },
    "providers_rotate": {"api_key": "sk-example-9876543210"},
    "providers_try": {"model": "gpt-4o-mini"},
    "models_put_alias": {"model": "ikiro/sandbox"},
    "account_trade_token": {"organization": "acme"},
    "account_rename": {"name": "Ada"},
    "account_delete": {"password": "a long and winding road 7"},
    "organizations_create": {"name": "Acme Inc"},
    "members_change": {"role": "reviewer"},
    "invitations_create": {"emails": ["member@acme.example"], "role": "developer"},
    "invitations_accept": {"token": "b3nq6x…"},
    "sso_put": {
        "kind": "oidc",
        "oidc": {
            "issuer": "https://login.acme.example",
            "client_id": "ikiro",
            "client_secret": "an example of a secret",
        },
        "default_role": "viewer",
    },
    "sso_enforce": {"break_glass_user_id": "usr_01jd3v7x5k8m9n0p1q2r3s4t5v", "require_mfa": True},
    "sso_add_domain": {"domain": "acme.example"},
    "sso_exchange_code": {"code": "Zk3v…", "verifier": "n7Qd…"},
    "keys_rotate": {"grace_s": 3600},
    "keys_extend_grace": {"grace_s": 86400},
    "keys_preview_new": {"name": "web app", "scopes": ["chat"], "models": ["ikiro/*"]},
    "keys_change": {"models": ["ikiro/*"], "budget": {"limit_micros": 5_000_000, "window": "month", "hard": True}},
    "tokens_create": {"persona_id": "brand-default", "subject_id": "usr_123", "ttl": 600, "budget": 50_000},
    "limits_create": {"level": "subject", "kind": "requests", "limit": 30, "window": 60, "shadow": True},
    "limits_change": {"shadow": True},
    "limits_raise": {"limit": 5_000, "until": "2026-12-01T00:00:00Z"},
    "requests_explain": {
        "model": "ikiro/sandbox",
        "persona_id": "brand-default",
        "subject_id": "usr_123",
        "messages": [_TURN],
    },
    "requests_replay": {"model": "ikiro/sandbox"},
    "organizations_change_settings": {"store_bodies": True, "body_retention_days": 7},
    "keys_create": {"name": "web app", "mode": "test", "scopes": ["chat", "memories:read"]},
}
