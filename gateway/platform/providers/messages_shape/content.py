"""Anthropic's content blocks as OpenAI's messages: tool calls on the assistant's message, each tool result a message of
its own, images and documents as parts. Thinking of earlier turns is bound to the model that thought it and stays out.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.platform.providers.reading import Fields, as_text, joined, typed, unsupported, wrong

_THOUGHTS = ("thinking", "redacted_thinking")


def system_message(system: Any, ignored: list[str]) -> list[Fields]:
    """The system prompt as a message; none when there is none."""
    if not system:
        return []
    return [{"role": "system", "content": joined(_texts(system, "system", ignored))}]


def conversation(messages: list[Fields], ignored: list[str]) -> list[Fields]:
    """The turns. Raises BadRequest naming the block that has no counterpart."""
    turns: list[Fields] = []
    for at, message in enumerate(messages):
        place, role = f"messages.{at}", message.get("role")
        if role == "user":
            turns += _user(message.get("content"), place, ignored)
        elif role == "assistant":
            turns += _assistant(message.get("content"), place, ignored)
        elif role == "system":
            turns.append({"role": "system", "content": joined(_texts(message.get("content"), place, ignored))})
        else:
            raise wrong(f"{place}.role", "must be user or assistant")
    return turns


def _blocks(content: Any, place: str, ignored: list[str]) -> list[tuple[str, Fields]]:
    """The blocks with their places; text stands for one block."""
    if isinstance(content, str):
        return [(place, {"type": "text", "text": content})] if content else []
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise wrong(f"{place}.content" if place != "system" else place, "must be text or a list of content blocks")
    for block in content:
        if block.get("cache_control") is not None and "cache_control" not in ignored:
            ignored.append("cache_control")
    return [(f"{place}.content.{at}", block) for at, block in enumerate(content)]


def _texts(content: Any, place: str, ignored: list[str]) -> list[Fields]:
    return [_text(block, where) for where, block in _blocks(content, place, ignored)]


def _text(block: Fields, place: str) -> Fields:
    if block.get("type") != "text":
        raise unsupported(f"{place}.type", f"{block.get('type')!r} cannot stand here for this model; send text")
    return {"type": "text", "text": typed(block, "text", str, place)}


def _user(content: Any, place: str, ignored: list[str]) -> list[Fields]:
    results, parts = [], []
    for where, block in _blocks(content, place, ignored):
        if block.get("type") == "tool_result":
            results.append(_result(block, where, ignored))
        else:
            parts.append(_part(block, where))
    return results + ([{"role": "user", "content": joined(parts)}] if parts else [])


def _result(block: Fields, place: str, ignored: list[str]) -> Fields:
    found = block.get("content")
    parts = [_part(one, where) for where, one in _blocks(found, place, ignored)] if found else []
    if block.get("is_error") is True:
        parts.insert(0, {"type": "text", "text": "Error:"})
    return {"role": "tool", "tool_call_id": typed(block, "tool_use_id", str, place), "content": as_text(parts, "\n")}


def _part(block: Fields, place: str) -> Fields:
    match block.get("type"):
        case "text":
            return _text(block, place)
        case "image":
            return {"type": "image_url", "image_url": {"url": _url(block, place)}}
        case "document":
            return _document(block, place)
        case kind:
            raise unsupported(f"{place}.type", f"this model takes no {kind!r} blocks")


def _url(block: Fields, place: str) -> str:
    source = typed(block, "source", dict, place)
    match source.get("type"):
        case "base64":
            where = f"{place}.source"
            return f"data:{typed(source, 'media_type', str, where)};base64,{typed(source, 'data', str, where)}"
        case "url":
            return typed(source, "url", str, f"{place}.source")
        case kind:
            raise unsupported(f"{place}.source.type", f"{kind!r} is not to be had from this model; send base64 or url")


def _document(block: Fields, place: str) -> Fields:
    source = typed(block, "source", dict, place)
    if source.get("type") == "text":
        return {"type": "text", "text": typed(source, "data", str, f"{place}.source")}
    if source.get("type") != "base64":
        raise unsupported(f"{place}.source.type", "this model takes documents as base64 or text")
    title = block.get("title")
    return {"type": "file", "file": {"filename": title or "document.pdf", "file_data": _url(block, place)}}


def _assistant(content: Any, place: str, ignored: list[str]) -> list[Fields]:
    texts, calls = [], []
    for where, block in _blocks(content, place, ignored):
        kind = block.get("type")
        if kind == "tool_use":
            arguments = msgspec.json.encode(block.get("input") or {}).decode()
            function = {"name": typed(block, "name", str, where), "arguments": arguments}
            calls.append({"id": typed(block, "id", str, where), "type": "function", "function": function})
        elif kind not in _THOUGHTS:
            texts.append(_text(block, where))
    if not texts and not calls:
        return []
    message: Fields = {"role": "assistant", "content": as_text(texts, "") if texts else None}
    return [message | ({"tool_calls": calls} if calls else {})]
