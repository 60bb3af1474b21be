"""The scripted provider's Responses API. The scenarios' frames are those of chat completions; here they become items.

``responses=0`` in a model's name: this server has no such path.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.upstream.scenarios import Frame, Options

_BROKEN = ("break", "error-mid", "error-first")


def refused(headers: dict[str, str], body: dict[str, Any], path: str) -> tuple[int, dict[str, Any]] | None:
    if "responses=0" in str(body.get("model")):
        return 404, {"detail": "Not Found"}
    return None


def error(code: int, message: str, error_code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "scripted", "param": "input", "code": error_code}}


def stream(name: str, options: Options, frames: list[Frame], body: dict[str, Any]) -> Iterator[bytes]:
    """Every event of the stream, numbered."""
    if isinstance(frames[0], dict) and "error" in frames[0]:
        yield _event(0, "error", error=frames[0]["error"])
        return
    for number, (kind, data) in enumerate(_events(name, options, frames, body)):
        yield _event(number, kind, **data)


def _event(number: int, kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': number, **data})}\n\n".encode()


def _events(name: str, options: Options, frames: list[Frame], body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    begun = _response(body, "in_progress", [])
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    items = _items(frames)
    for at, item in enumerate(items):
        deltas, place = item.pop("deltas"), {"output_index": at, "item_id": item["id"]}
        empty = {**item, "status": "in_progress", **({"content": []} if item["type"] == "message" else {})}
        empty |= {"arguments": ""} if item["type"] == "function_call" else {}
        yield "response.output_item.added", {"output_index": at, "item": empty}
        if item["type"] == "message":
            place["content_index"] = 0
            part = {"type": "output_text", "text": "", "annotations": []}
            yield "response.content_part.added", {**place, "part": part}
            for delta in deltas:
                yield "response.output_text.delta", {**place, "delta": delta, "logprobs": []}
            if name in _BROKEN:
                break
            text = item["content"][0]["text"]
            yield "response.output_text.done", {**place, "text": text, "logprobs": []}
            yield "response.content_part.done", {**place, "part": item["content"][0]}
        else:
            for delta in deltas:
                yield "response.function_call_arguments.delta", {**place, "delta": delta}
            whole = {"name": item["name"], "arguments": item["arguments"]}
            yield "response.function_call_arguments.done", {**place, **whole}
        yield "response.output_item.done", {"output_index": at, "item": item}
    if name == "error-mid":
        yield "error", {"error": {"message": "the model crashed", "type": "server_error", "code": "server_error"}}
    if name in _BROKEN:
        return
    status = "incomplete" if _finish(frames) == "length" else "completed"
    done = _response(body, status, items, frames, options)
    yield f"response.{status}", {"response": done}


def _items(frames: list[Frame]) -> list[dict[str, Any]]:
    made: dict[Any, dict[str, Any]] = {}
    for frame in frames:
        if not isinstance(frame, dict) or "error" in frame:
            continue
        delta = frame["choices"][0]["delta"]
        if text := delta.get("content") or delta.get("refusal"):
            content = [{"type": "output_text", "text": "", "annotations": []}]
            fresh = {"id": "msg_fake", "type": "message", "role": "assistant", "content": content}
            item = made.setdefault("text", {**fresh, "status": "completed", "deltas": []})
            item["deltas"].append(text)
            item["content"][0]["text"] += text
        for part in delta.get("tool_calls") or ():
            at = part.get("index", 0)
            named = {"id": f"fc_{at}", "type": "function_call", "call_id": f"call_{at}", "arguments": ""}
            item = made.setdefault(at, {**named, "status": "completed", "deltas": []})
            item.setdefault("name", part["function"].get("name"))
            arguments = part["function"]["arguments"]
            item["arguments"] += arguments
            item["deltas"] += [arguments] if arguments else []
    return list(made.values())


def whole(options: Options, frames: list[Frame], body: dict[str, Any]) -> dict[str, Any]:
    """The buffered response, or the error that stands in its place."""
    broken = next((frame["error"] for frame in frames if isinstance(frame, dict) and "error" in frame), None)
    if broken is not None:
        return {**_response(body, "failed", []), "error": {"code": "server_error", "message": broken["message"]}}
    items = [{key: value for key, value in item.items() if key != "deltas"} for item in _items(frames)]
    status = "incomplete" if _finish(frames) == "length" else "completed"
    return _response(body, status, items, frames, options)


def _finish(frames: list[Frame]) -> Any:
    return frames[-1]["choices"][0]["finish_reason"] if isinstance(frames[-1], dict) else None


def _response(
    body: dict[str, Any], status: str, items: list[Any], frames: list[Frame] | None = None,
    options: Options | None = None,
) -> dict[str, Any]:  # fmt: skip
    usage = None
    if frames is not None and (options or {}).get("usage") != "none":
        prompt = len(json.dumps(body.get("input", "")).split())
        cached = {"cached_tokens": int((options or {}).get("cached", "0"))}
        usage = {
            "input_tokens": prompt, "input_tokens_details": cached, "output_tokens": len(frames),
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": prompt + len(frames),
        }  # fmt: skip
    reason = {"reason": "max_output_tokens"} if status == "incomplete" else None
    return {
        "id": "resp_native", "object": "response", "created_at": 1, "status": status, "model": body.get("model"),
        "output": items, "error": None, "incomplete_details": reason, "instructions": body.get("instructions"),
        "metadata": {}, "parallel_tool_calls": True, "temperature": 1.0, "tool_choice": "auto",
        "tools": body.get("tools") or [], "top_p": 1.0, "text": body.get("text") or {"format": {"type": "text"}},
        "store": body.get("store", True), "previous_response_id": body.get("previous_response_id"), "usage": usage,
    }  # fmt: skip
