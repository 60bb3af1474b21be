"""How the OpenAPI document shows the operation, whose body Ninja never parses."""

from __future__ import annotations

from typing import Any

_TOKENS = {"type": ["integer", "null"], "minimum": 1, "maximum": 2**31 - 1}
_SCOPES = {"type": ["array", "null"], "maxItems": 50, "items": {"type": "string", "minLength": 1, "maxLength": 128}}
_CITATIONS = {"type": "array", "items": {"$ref": "#/components/schemas/CitationOut"}}
_WRITES = {"type": "array", "items": {"$ref": "#/components/schemas/ProposedWriteOut"}}
_ANSWER = {
    "type": "object",
    "description": (
        "A chat completion. With a persona it is the gateway's, with keys of its own beside OpenAI's; without one it "
        "is what the provider answered, as it is."
    ),
    "required": ["choices"],
    "properties": {
        "choices": {"type": "array", "items": {"type": "object"}},
        "persona_id": {"type": "string"},
        "persona_version": {"type": "integer"},
        "conversation_id": {"type": "string"},
        "citations": _CITATIONS,
        "proposedWrites": _WRITES,
        "request_id": {"type": "string"},
    },
    "additionalProperties": True,
}
_BODY = {
    "type": "object",
    "required": ["model", "messages"],
    "description": (
        "OpenAI's body. With a persona: `tools`, `tool_choice`, `response_format`, `stop`, `stream_options`, "
        "`temperature`, `metadata` and images as content parts are understood, `n` above 1, `logprobs`, audio and "
        "`functions` are refused by name, and every other option goes to the model. The last six keys are the "
        "gateway's own, for clients that can send an extra body; the first three may be headers instead."
    ),
    "properties": {
        "model": {"type": "string", "examples": ["ikiro/sandbox"]},
        "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
        "stream": {"type": ["boolean", "null"]},
        "max_tokens": _TOKENS,
        "max_completion_tokens": _TOKENS,
        "persona_id": {"type": ["string", "null"], "minLength": 1, "maxLength": 64},
        "subject_id": {"type": ["string", "null"], "minLength": 1, "maxLength": 128},
        "memory_scopes": _SCOPES,
        "conversation_id": {"type": ["string", "null"], "maxLength": 64},
        "persona_version": _TOKENS,
        "redact_mode": {"enum": ["off", "default", "strict", None]},
    },
    "additionalProperties": True,
}


def _header(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {
        "in": "header", "name": name, "required": False, "description": description,
        "schema": {"type": "string", **schema},
    }  # fmt: skip


COMPLETIONS: dict[str, Any] = {
    "parameters": [
        _header("x-persona-id", "Which persona answers. Needs `x-subject-id`.", minLength=1, maxLength=64),
        _header("x-subject-id", "Whom it talks to and remembers. Needs `x-persona-id`.", minLength=1, maxLength=128),
        _header("x-memory-scopes", "Which memory scopes to search, separated by commas; left out: all allowed ones."),
    ],
    "responses": {200: {"content": {"application/json": {"schema": _ANSWER}}}},
    "requestBody": {"required": True, "content": {"application/json": {"schema": _BODY}}},
}
