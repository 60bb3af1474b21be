"""Putting right what OpenAI's clients stumble over in answers of servers that only resemble OpenAI's."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec

from gateway.platform.providers.openai_wire import shapes
from gateway.platform.providers.openai_wire.calls import CallNumbers


def chunk(data: bytes, answer: shapes.Answer, numbers: dict[int, CallNumbers]) -> dict[str, Any] | None:
    """The chunk with every tool-call fragment numbered, named and its arguments a text, and with the usual finish
    reasons; None when it is right as it is. ``numbers`` remembers the calls of each choice.
    """
    mended, value = False, None
    for at, choice in enumerate(answer.choices or ()):
        changes: list[tuple[int, dict[str, Any]]] = []
        part = choice.part()
        if part is not None and part.tool_calls:
            known = numbers.setdefault(choice.index or 0, CallNumbers())
            for place, (call, found) in enumerate(zip(part.tool_calls, part.calls(known), strict=True)):
                arguments = call.function.arguments if call.function else None
                if (found.index, found.id) != (call.index, call.id or None) or not isinstance(arguments, str | None):
                    changes.append((place, {"index": found.index, "id": found.id, "arguments": found.arguments}))
        reason = shapes.finish_of(choice.finish_reason)
        if not changes and reason == (choice.finish_reason or None):
            continue
        value = msgspec.json.decode(data) if value is None else value
        _mend(value["choices"][at], changes, reason)
        mended = True
    return value if mended else None


def whole(body: bytes, answer: shapes.Answer | None = None) -> bytes:
    """A buffered completion (``answer`` if it was read already) with an id and text arguments for every tool call, and
    the usual finish reasons. The same bytes when nothing is wrong with it.
    """
    answer = shapes.decode(body) if answer is None else answer
    value = None
    for at, choice in enumerate(answer.choices or ()):
        calls = choice.message.tool_calls or [] if choice.message else []
        changes = [
            (place, {"id": call.id or f"call_{secrets.token_hex(12)}", "arguments": call.function.text()})
            for place, call in enumerate(calls)
            if call.function is not None and not (call.id and isinstance(call.function.arguments, str))
        ]
        reason = shapes.finish_of(choice.finish_reason)
        if changes or reason != (choice.finish_reason or None):
            value = msgspec.json.decode(body) if value is None else value
            _mend(value["choices"][at], changes, reason)
    return body if value is None else msgspec.json.encode(value)


def as_chunks(body: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(what all chunks share, the chunks) of a whole completion that came where a stream was asked for."""
    value = msgspec.json.decode(whole(body))
    head = {name: value.get(name) for name in ("id", "created", "model")}
    choices = []
    for choice in value["choices"]:
        message = choice.get("message") or {}
        delta = {"role": "assistant", "content": message.get("content")}
        if message.get("tool_calls"):
            delta["tool_calls"] = [{**call, "index": at} for at, call in enumerate(message["tool_calls"])]
        finish = choice.get("finish_reason") or "stop"
        choices.append({"index": choice.get("index") or 0, "delta": delta, "finish_reason": finish})
    return head, [{**head, "object": "chat.completion.chunk", "choices": choices}]


def _mend(choice: dict[str, Any], changes: list[tuple[int, dict[str, Any]]], reason: str | None) -> None:
    choice["finish_reason"] = reason
    part = choice.get("delta") or choice.get("message") or {}
    for place, fields in changes:
        call = part["tool_calls"][place]
        call["function"] = {**(call.get("function") or {}), "arguments": fields.pop("arguments")}
        if fields.get("id"):
            call["type"] = call.get("type") or "function"
        call.update({name: value for name, value in fields.items() if value is not None})
