"""Input items of the Responses API as OpenAI's messages: calls on the assistant's message, each output a message of its
own. Reasoning items of earlier turns are bound to the model that reasoned and stay out.
"""

from __future__ import annotations

from typing import Any

from gateway.platform.providers.reading import Fields, as_text, joined, typed, unsupported, wrong

_ROLES = ("user", "assistant", "system", "developer")


def conversation(given: Any) -> list[Fields]:
    """The messages that ``input`` stands for. Raises BadRequest naming the item."""
    if isinstance(given, str) and given:
        return [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given or not all(isinstance(item, dict) for item in given):
        raise wrong("input", "must be text or a list of items, not empty")
    turns: list[Fields] = []
    for at, item in enumerate(given):
        place = f"input.{at}"
        match item.get("type") or "message":
            case "message":
                turns.append(_message(item, place))
            case "function_call":
                _call(turns, item, place)
            case "function_call_output":
                turns.append(_output(item, place))
            case "reasoning":
                continue
            case kind:
                raise unsupported(f"{place}.type", f"this model takes no {kind!r} items")
    if not turns:
        raise wrong("input", "must hold something that the model can read")
    return turns


def _message(item: Fields, place: str) -> Fields:
    role, content = item.get("role"), item.get("content")
    if role not in _ROLES:
        raise wrong(f"{place}.role", f"must be one of {', '.join(_ROLES)}")
    parts = _parts(content, place)
    return {"role": role, "content": as_text(parts, "") if role == "assistant" else joined(parts)}


def _call(turns: list[Fields], item: Fields, place: str) -> None:
    """Calls stand on one message of the assistant: the one before them, where there is one."""
    function = {"name": typed(item, "name", str, place), "arguments": typed(item, "arguments", str, place)}
    call = {"id": typed(item, "call_id", str, place), "type": "function", "function": function}
    if turns and turns[-1]["role"] == "assistant":
        turns[-1].setdefault("tool_calls", []).append(call)
    else:
        turns.append({"role": "assistant", "content": None, "tool_calls": [call]})


def _output(item: Fields, place: str) -> Fields:
    content = as_text(_parts(item.get("output"), place, "output"), "\n")
    return {"role": "tool", "tool_call_id": typed(item, "call_id", str, place), "content": content}


def _parts(content: Any, place: str, name: str = "content") -> list[Fields]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise wrong(f"{place}.{name}", "must be text or a list of content parts")
    return [_part(part, f"{place}.{name}.{at}") for at, part in enumerate(content)]


def _part(part: Fields, place: str) -> Fields:
    match part.get("type"):
        case "input_text" | "output_text" | "text":
            return {"type": "text", "text": typed(part, "text", str, place)}
        case "refusal":
            return {"type": "text", "text": typed(part, "refusal", str, place)}
        case "input_image":
            if not isinstance(part.get("image_url"), str):
                raise unsupported(f"{place}.file_id", "this model takes images as image_url, a link or data: URL")
            detail = {"detail": part["detail"]} if part.get("detail") else {}
            return {"type": "image_url", "image_url": {"url": part["image_url"], **detail}}
        case "input_file":
            if not isinstance(part.get("file_data"), str):
                raise unsupported(place, "this model takes files as file_data only")
            file = {"filename": part.get("filename") or "file", "file_data": part["file_data"]}
            return {"type": "file", "file": file}
        case kind:
            raise unsupported(f"{place}.type", f"this model takes no {kind!r} parts")
