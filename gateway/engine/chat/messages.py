"""The caller's messages: which are accepted, and what the model is sent of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from gateway.core.errors import BadRequest, FieldProblem
from gateway.governance.policies import redaction
from gateway.governance.policies.redaction.values import Change

Message = dict[str, Any]
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})
# What each kind of content part must hold, and where the text in it stands.
_TEXT_PARTS = {"text": "text", "refusal": "refusal"}
# What belongs to the protocol; a model that is sent another signature than its own refuses the turn.
_KEPT = frozenset({"role", "type", "cache_control", "signature", "thought_signature", "encrypted_content"})
_DESCRIPTIONS = frozenset({"description", "title"})
# What an image counts for where nobody counted tokens: about a thousand of them, however many bytes it is made of.
_IMAGE_BYTES = 4_000


def accepted(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The messages without their explicit nulls, which clients send for fields they do not use (``content`` stays).

    Raises BadRequest naming the place, ``unsupported_parameter`` for a kind of content that no persona can take in.
    """
    return tuple(_accepted(message, f"/messages/{at}") for at, message in enumerate(messages))


def _accepted(message: Message, place: str) -> Message:
    role, content = message.get("role"), message.get("content")
    if role not in _ROLES:
        raise refused(f"{place}/role", f"must be one of {', '.join(sorted(_ROLES))}")
    if isinstance(content, list):
        for at, part in enumerate(content):
            _check_part(part, f"{place}/content/{at}")
    elif content is not None and not isinstance(content, str):
        raise refused(f"{place}/content", "must be text, a list of content parts, or null")
    calls = message.get("tool_calls")
    if calls is not None and not (isinstance(calls, list) and all(isinstance(call, dict) for call in calls)):
        raise refused(f"{place}/tool_calls", "must be a list of calls")
    if message.get("audio") is not None:
        raise unsupported(f"{place}/audio", "a persona neither hears nor speaks; send text or images")
    return {name: value for name, value in message.items() if value is not None or name == "content"}


def _check_part(part: Any, place: str) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str):
        raise refused(place, "must be an object with a type")
    if (text := _TEXT_PARTS.get(kind)) is not None:
        if not isinstance(part.get(text), str):
            raise refused(f"{place}/{text}", f"a part of type {kind} needs its {text}")
    elif kind == "image_url":
        image = part.get("image_url")
        if not isinstance(image, dict) or not isinstance(image.get("url"), str):
            raise refused(f"{place}/image_url", 'must be an object with a url: {"url": "https://…"} or a data: URL')
    else:
        raise unsupported(f"{place}/type", f"{kind!r} is not taken in here; send text or image_url")


def mapped(message: Message, change: Change, name: Change) -> Message:
    """The message with every text in it changed, in fields that only some model knows too. What only names something
    (a call, a tool, an image) is given to ``name`` and stays what it is."""
    own = message.get("role") != "tool"
    changed: Message = {}
    for field, value in message.items():
        if field == "tool_call_id" or (field == "name" and not own):
            changed[field] = _named(value, name)
        elif field == "content" and isinstance(value, list):
            changed[field] = [_mapped_part(part, change, name) for part in value]
        elif field == "tool_calls" and value:
            changed[field] = [_mapped_call(call, change, name) for call in value]
        elif field == "function_call" and isinstance(value, dict):
            changed[field] = _mapped_function(value, change, name)
        else:
            changed[field] = value if field in _KEPT else redaction.each_text(value, change, keep=_KEPT)
    return changed


def _mapped_part(part: Message, change: Change, name: Change) -> Message:
    if part["type"] == "image_url":
        if not part["image_url"]["url"].startswith("data:"):
            name(part["image_url"]["url"])
        return part
    return {field: value if field in _KEPT else redaction.each_text(value, change) for field, value in part.items()}


def _mapped_call(call: Message, change: Change, name: Change) -> Message:
    changed = {}
    for field, value in call.items():
        if field == "id":
            changed[field] = _named(value, name)
        elif field == "function" and isinstance(value, dict):
            changed[field] = _mapped_function(value, change, name)
        else:
            changed[field] = value if field in _KEPT else redaction.each_text(value, change, keep=_KEPT)
    return changed


def _mapped_function(function: Message, change: Change, name: Change) -> Message:
    _named(function.get("name"), name)
    text = function.get("arguments")
    if not isinstance(text, str):
        return function
    try:
        arguments = json.loads(text)
    except (ValueError, RecursionError):
        shown = change(text)
    else:
        other = redaction.each_text(arguments, change)
        shown = text if other == arguments else json.dumps(other, ensure_ascii=False)
    return {**function, "arguments": shown}


def _named(value: Any, name: Change) -> Any:
    if isinstance(value, str):
        name(value)
    return value


def mapped_schema(value: Any, change: Change, name: Change) -> Any:
    """A tool or an answer's format: its descriptions are texts, and all else in it names something."""
    if isinstance(value, dict):
        changed = {}
        for key, item in value.items():
            name(key)
            told = key in _DESCRIPTIONS and isinstance(item, str)
            changed[key] = change(item) if told else mapped_schema(item, change, name)
        return changed
    if isinstance(value, list):
        return [mapped_schema(item, change, name) for item in value]
    return _named(value, name)


def prompt_bytes(messages: Iterable[Message], body_bytes: int) -> int:
    """How much text the model reads, at least: the larger of the caller's body and the composed messages, with each
    image counted for what it costs and not for the bytes it is made of."""
    texts = images = image_bytes = 0
    for message in messages:
        content = message.get("content")
        parts: Iterable[Message] = content if isinstance(content, list) else ({"text": content},)
        for part in parts:
            texts += len(part.get("text") or "")
            if part.get("type") == "image_url":
                images, image_bytes = images + 1, image_bytes + len(part["image_url"]["url"])
    return max(body_bytes - image_bytes, texts) + images * _IMAGE_BYTES


def refused(pointer: str, message: str) -> BadRequest:
    """The refusal of a field, by its JSON pointer."""
    return BadRequest(_told(pointer, message), problems=(FieldProblem(pointer, "invalid", message),))


def unsupported(pointer: str, message: str) -> BadRequest:
    """The refusal of what is well formed and yet not to be had from a persona."""
    problem = FieldProblem(pointer, "unsupported_parameter", message)
    return BadRequest(_told(pointer, message), code="unsupported_parameter", problems=(problem,))


def _told(pointer: str, message: str) -> str:
    return f"{pointer.removeprefix('/').replace('/', '.')}: {message}."
