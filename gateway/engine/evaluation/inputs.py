"""What a kept request asked for, as far as policy looks at it, whichever dialect it was sent in. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request's wishes and texts; ``texts`` in the order in which they were sent, masked as they were kept."""

    model: str
    texts: tuple[str, ...]
    tools: tuple[str, ...]
    redact_mode: str | None
    memory_scopes: tuple[str, ...] | None
    max_tokens: int | None
    conversation_id: str | None


def read(text: str, headers: Mapping[str, str]) -> Asked | None:
    """The wishes in a body; None for one that is no JSON object (it was cut, or is of another kind)."""
    try:
        body = json.loads(text)
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    wanted = next((body[name] for name in _LIMITS if isinstance(body.get(name), int)), None)
    conversation = body.get("conversation_id")
    return Asked(
        model=str(body.get("model") or ""),
        texts=tuple(_texts(body)),
        tools=tuple(_tools(body.get("tools"))),
        redact_mode=body["redact_mode"] if isinstance(body.get("redact_mode"), str) else None,
        memory_scopes=_scopes(body.get("memory_scopes"), headers),
        max_tokens=wanted,
        conversation_id=conversation if isinstance(conversation, str) else None,
    )


def _texts(body: dict[str, Any]) -> Iterator[str]:
    for name in ("system", "instructions", "messages", "input"):
        value = body.get(name)
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            for one in value:
                yield from _said(one)


def _said(message: Any) -> Iterator[str]:
    """The texts of a message: its content, the text parts of it, the arguments of its tool calls."""
    if isinstance(message, str):
        yield message
    if not isinstance(message, dict):
        return
    content = message.get("content", message.get("text"))
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                yield part["text"]
    for call in message.get("tool_calls") or ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict) and isinstance(function.get("arguments"), str):
            yield from _strings(function["arguments"])


def _strings(arguments: str) -> Iterator[str]:
    try:
        todo = [json.loads(arguments)]
    except ValueError:
        yield arguments
        return
    while todo:
        value = todo.pop(0)
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            todo[:0] = value.values()
        elif isinstance(value, list):
            todo[:0] = value


def _tools(tools: Any) -> Iterator[str]:
    """Names of tools, as OpenAI nests them and as the others do not."""
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict):
            function = tool.get("function")
            name = function.get("name") if isinstance(function, dict) else tool.get("name")
            if isinstance(name, str):
                yield name


def _scopes(given: Any, headers: Mapping[str, str]) -> tuple[str, ...] | None:
    if isinstance(given, list):
        return tuple(one for one in given if isinstance(one, str))
    header = headers.get("x-memory-scopes")
    return tuple(part.strip() for part in header.split(",") if part.strip()) if header is not None else None
