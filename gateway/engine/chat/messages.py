"""The caller's messages: which are accepted, and what the model is sent of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gateway.core.errors import BadRequest, FieldProblem
from gateway.governance.policies import redaction
from gateway.governance.policies.types import RedactMode

Message = dict[str, Any]
Change = Callable[[str], str]
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})
# What each kind of content part must hold, and where the text in it stands.
_TEXT_PARTS = {"text": "text", "refusal": "refusal"}
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


def masked(messages: Sequence[Message], mode: RedactMode) -> tuple[Message, ...]:
    """The messages with every text in them masked as policy asks; images and ids stay what they are."""
    if mode == RedactMode.OFF:
        return tuple(messages)
    return tuple(mapped(message, lambda text: redaction.redact(text, mode)) for message in messages)


def texts_in(message: Message) -> list[str]:
    """Every text of a message, in the order in which ``mapped`` comes to it."""
    found: list[str] = []

    def note(text: str) -> str:
        found.append(text)
        return text

    mapped(message, note)
    return found


def mapped(message: Message, change: Change) -> Message:
    """The message with every text in it changed: content, text parts, the strings in the arguments of tool calls."""
    changed: Message = {}
    content = message.get("content")
    if isinstance(content, str):
        changed["content"] = change(content)
    elif isinstance(content, list):
        changed["content"] = [_mapped_part(part, change) for part in content]
    if calls := message.get("tool_calls"):
        changed["tool_calls"] = [_mapped_call(call, change) for call in calls]
    return {**message, **changed}


def _mapped_part(part: Message, change: Change) -> Message:
    text = _TEXT_PARTS.get(part["type"])
    return part if text is None else {**part, text: change(part[text])}


def _mapped_call(call: Message, change: Change) -> Message:
    function = call.get("function")
    if not isinstance(function, dict) or not isinstance(function.get("arguments"), str):
        return call
    text = function["arguments"]
    try:
        arguments = json.loads(text)
    except (ValueError, RecursionError):
        shown = change(text)
    else:
        other = each_text(arguments, change)
        shown = text if other == arguments else json.dumps(other, ensure_ascii=False)
    return {**call, "function": {**function, "arguments": shown}}


def mask(value: Any, mode: RedactMode) -> Any:
    """Every string inside a JSON value, masked."""
    return each_text(value, lambda text: redaction.redact(text, mode))


def each_text(value: Any, change: Change) -> Any:
    """A JSON value with every string in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: each_text(one, change) for key, one in value.items()}
    if isinstance(value, list):
        return [each_text(one, change) for one in value]
    return value


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
