"""How the OpenAPI document shows the operations, whose bodies Ninja never parses."""

from __future__ import annotations

from typing import Any

from gateway.surfaces.openai.document import OUR_KEYS, PERSONA_HEADERS, PERSONA_KEYS, header

_VERSION = header(
    "anthropic-version", "Which version of their API: `2023-06-01`.", required=True, examples=["2023-06-01"]
)
_BETA = header("anthropic-beta", "Names of betas, separated by commas; passed on to Anthropic.")
_MESSAGE = {
    "type": "object",
    "description": (
        "A message. With a persona it is the gateway's, with keys of its own beside Anthropic's; without one it is "
        "what the provider answered, as it is, or translated where another API serves the model."
    ),
    "required": ["type", "content"],
    "properties": {
        "type": {"type": "string"},
        "content": {"type": "array", "items": {"type": "object"}},
        **PERSONA_KEYS,
    },
    "additionalProperties": True,
}
_PROMPT: dict[str, Any] = {
    "model": {"type": "string", "examples": ["ikiro/sandbox"]},
    "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
}
_BODY = {
    "type": "object",
    "required": ["model", "messages", "max_tokens"],
    "description": "Anthropic's body. The last six keys are the gateway's own; the first three may be headers instead.",
    "properties": {
        **_PROMPT,
        "max_tokens": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
        "stream": {"type": ["boolean", "null"]},
        **OUR_KEYS,
    },
    "additionalProperties": True,
}
_COUNT = {
    "type": "object",
    "required": ["input_tokens"],
    "properties": {"input_tokens": {"type": "integer"}, "estimated": {"type": "boolean"}},
    "additionalProperties": True,
}


def _operation(body: dict[str, Any], answer: dict[str, Any], parameters: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "parameters": parameters,
        "responses": {200: {"content": {"application/json": {"schema": answer}}}},
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
    }


MESSAGES = _operation(_BODY, _MESSAGE, [_VERSION, _BETA, *PERSONA_HEADERS])
COUNT_TOKENS = _operation(
    {"type": "object", "required": ["model", "messages"], "properties": _PROMPT, "additionalProperties": True},
    _COUNT,
    [_VERSION, _BETA],
)
