"""How the OpenAPI document shows the operations, whose bodies Ninja never parses."""

from __future__ import annotations

from typing import Any

_TOKENS = {"type": ["integer", "null"], "minimum": 1, "maximum": 2**31 - 1}
_SCOPES = {"type": ["array", "null"], "maxItems": 50, "items": {"type": "string", "minLength": 1, "maxLength": 128}}
_CITATIONS = {"type": "array", "items": {"$ref": "#/components/schemas/CitationOut"}}
_WRITES = {"type": "array", "items": {"$ref": "#/components/schemas/ProposedWriteOut"}}
PERSONA_KEYS: dict[str, Any] = {
    "persona_id": {"type": "string"},
    "persona_version": {"type": "integer"},
    "conversation_id": {"type": "string"},
    "citations": _CITATIONS,
    "proposedWrites": _WRITES,
    "request_id": {"type": "string"},
}
OUR_KEYS: dict[str, Any] = {
    "persona_id": {"type": ["string", "null"], "minLength": 1, "maxLength": 80},
    "subject_id": {"type": ["string", "null"], "minLength": 1, "maxLength": 128},
    "memory_scopes": _SCOPES,
    "conversation_id": {"type": ["string", "null"], "maxLength": 64},
    "persona_version": _TOKENS,
    "redact_mode": {"enum": ["off", "default", "strict", None]},
    "persona_mode": {"enum": ["direct", "group", None]},
}
_ANSWER = {
    "type": "object",
    "description": (
        "A chat completion. With a persona it is the gateway's, with keys of its own beside OpenAI's; without one it "
        "is what the provider answered, as it is."
    ),
    "required": ["choices"],
    "properties": {
        "choices": {"type": "array", "items": {"type": "object"}},
        **PERSONA_KEYS,
    },
    "additionalProperties": True,
}
_BODY = {
    "type": "object",
    "required": ["model", "messages"],
    "description": (
        "OpenAI's body. With a persona: `tools`, `tool_choice`, `response_format`, `stop`, `stream_options`, "
        "`temperature`, `metadata` and images as content parts are understood, `n` above 1, `logprobs`, audio and "
        "`functions` are refused by name, and every other option goes to the model. The last seven keys are the "
        "gateway's own, for clients that can send an extra body; four of them may be headers instead."
    ),
    "properties": {
        "model": {"type": "string", "examples": ["ikiro/sandbox"]},
        "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
        "stream": {"type": ["boolean", "null"]},
        "max_tokens": _TOKENS,
        "max_completion_tokens": _TOKENS,
        **OUR_KEYS,
    },
    "additionalProperties": True,
}


def header(name: str, description: str, *, required: bool = False, **schema: Any) -> dict[str, Any]:
    """One header of an operation."""
    return {
        "in": "header", "name": name, "required": required, "description": description,
        "schema": {"type": "string", **schema},
    }  # fmt: skip


PERSONA_HEADERS = [
    header(
        "x-persona-id",
        "Which persona answers, `id` or `id@version`. Needs `x-subject-id`.",
        minLength=1,
        maxLength=80,
    ),
    header("x-subject-id", "Whom it talks to and remembers. Needs `x-persona-id`.", minLength=1, maxLength=128),
    header("x-memory-scopes", "Which memory scopes to search, separated by commas; left out: all allowed ones."),
    header("x-persona-mode", "`group` where several people read along; left out: `direct`.", enum=["direct", "group"]),
]


def _operation(body: dict[str, Any], answer: dict[str, Any], *, persona: bool = True) -> dict[str, Any]:
    return {
        "parameters": PERSONA_HEADERS if persona else [],
        "responses": {200: {"content": {"application/json": {"schema": answer}}}},
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
    }


_RESPONSE_BODY = {
    "type": "object",
    "required": ["model"],
    "description": (
        "OpenAI's body. Where another API serves the model, `previous_response_id`, `conversation`, `prompt`, "
        "`background` and tools that OpenAI runs are refused by name, and what only tunes the answer is left out, "
        "which the header `x-ikiro-ignored` lists. The last six keys are the gateway's own."
    ),
    "properties": {
        "model": {"type": "string", "examples": ["ikiro/sandbox"]},
        "input": {"description": "Text, or a list of items."},
        "instructions": {"type": ["string", "null"]},
        "stream": {"type": ["boolean", "null"]},
        "max_output_tokens": _TOKENS,
        **OUR_KEYS,
    },
    "additionalProperties": True,
}
_RESPONSE = {
    "type": "object",
    "description": "A response; with a persona the gateway's, with keys of its own beside OpenAI's.",
    "required": ["output"],
    "properties": {"output": {"type": "array", "items": {"type": "object"}}, **PERSONA_KEYS},
    "additionalProperties": True,
}
_EMBEDDING_BODY = {
    "type": "object",
    "required": ["model", "input"],
    "properties": {
        "model": {"type": "string", "examples": ["ikiro/sandbox"]},
        "input": {"description": "Text, a list of texts, a list of tokens, or a list of such lists."},
        "dimensions": {"type": ["integer", "null"], "minimum": 1},
        "encoding_format": {"enum": ["float", "base64", None]},
    },
    "additionalProperties": True,
}
_EMBEDDINGS = {
    "type": "object",
    "required": ["data"],
    "properties": {"data": {"type": "array", "items": {"type": "object"}}},
    "additionalProperties": True,
}
COMPLETIONS = _operation(_BODY, _ANSWER)
RESPONSES = _operation(_RESPONSE_BODY, _RESPONSE)
EMBEDDINGS = _operation(_EMBEDDING_BODY, _EMBEDDINGS, persona=False)
