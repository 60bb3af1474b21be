"""How many tokens a prompt has, where nobody can be asked: an estimate, and told as one."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.platform.providers.types import ModelRequest

# English text has about four bytes to a token; each message and each tool adds a few of its own.
_BYTES_PER_TOKEN, _PER_MESSAGE, _PER_TOOL = 4, 4, 8
# About what an image costs with the providers that tell.
_PER_IMAGE = 1_000


def estimated_tokens(request: ModelRequest) -> int:
    """An estimate of the prompt's tokens, at least 1."""
    total = 0
    for message in request.messages:
        total += _PER_MESSAGE + _content(message.get("content"))
        total += _tokens(message["tool_calls"]) if message.get("tool_calls") else 0
    total += sum(_PER_TOOL + _tokens(tool) for tool in request.tools)
    return max(1, total)


def _content(content: Any) -> int:
    if isinstance(content, str):
        return _tokens(content)
    parts = content if isinstance(content, list) else []
    return sum(_tokens(part["text"]) if part.get("type") == "text" else _PER_IMAGE for part in parts)


def _tokens(value: Any) -> int:
    text = value.encode() if isinstance(value, str) else msgspec.json.encode(value)
    return -(-len(text) // _BYTES_PER_TOKEN)
