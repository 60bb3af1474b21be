"""The scripted provider in OpenAI's dialect: the frames of a stream, and the completion made of them."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

from tests.upstream.scenarios import Frame, Options

_NO_END = ("break", "error-mid", "error-first")


def refused(headers: dict[str, str], body: dict[str, Any], path: str) -> tuple[int, dict[str, Any]] | None:
    """What the real API would refuse. Of chat everything is accepted here: so many servers speak this dialect."""
    if path.endswith("/embeddings") and not _embeddable(body.get("input")):
        return 400, error(400, "input must be a text, texts, tokens or lists of tokens")
    return None


def _embeddable(given: Any) -> bool:
    if not isinstance(given, list) or not given:
        return isinstance(given, str)
    if isinstance(given[0], int):
        return all(isinstance(one, int) for one in given)
    return all(isinstance(one, str | list) for one in given)


def error(code: int, message: str, error_code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "scripted", "param": "messages", "code": error_code}}


def stream(name: str, options: Options, frames: list[Frame], body: dict[str, Any]) -> Iterator[bytes]:
    """Every event of the stream, [DONE] included."""
    usage = options.get("usage")
    asked = bool((body.get("stream_options") or {}).get("include_usage"))
    base = {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1, "model": body.get("model")}
    for number, frame in enumerate(frames):
        if isinstance(frame, bytes):
            yield frame
            continue
        shown = dict(frame) if "error" in frame else {**base, **frame}
        if usage == "null":
            shown["usage"] = None
        if usage == "every" or (usage == "last" and number == len(frames) - 1):
            shown["usage"] = counted(frames, body, options)
        yield event(shown)
    if name in _NO_END:
        return
    if asked and usage not in ("none", "last", "every"):
        yield event({**base, "choices": [], "usage": counted(frames, body, options)})
    if options.get("done") != "0":
        yield b"data: [DONE]\n\n"


def event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def counted(frames: list[Frame], body: dict[str, Any], options: Options) -> dict[str, Any]:
    prompt = len(json.dumps(body.get("messages", [])).split())
    return {
        "prompt_tokens": prompt,
        "completion_tokens": len(frames),
        "total_tokens": prompt + len(frames),
        "prompt_tokens_details": {"cached_tokens": int(options.get("cached", "0"))},
    }


def whole(options: Options, frames: list[Frame], body: dict[str, Any]) -> dict[str, Any]:
    """The buffered completion, or the error that stands in its place."""
    message: dict[str, Any] = {"role": "assistant", "content": None}
    calls: dict[int, dict[str, Any]] = {}
    finish = None
    for frame in frames:
        if not isinstance(frame, dict) or "error" in frame:
            return {"error": {"message": "the model crashed", "type": "server_error"}}
        choice = frame["choices"][0]
        finish = choice["finish_reason"] or finish
        for name in ("content", "refusal", "reasoning_content"):
            if choice["delta"].get(name):
                message[name] = (message.get(name) or "") + choice["delta"][name]
        for part in choice["delta"].get("tool_calls") or ():
            known = calls.setdefault(
                part.get("index", 0), {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
            )
            known["id"] = part.get("id", known["id"])
            known["function"]["name"] += part["function"].get("name", "")
            arguments = part["function"]["arguments"]
            known["function"]["arguments"] = (
                arguments if isinstance(arguments, dict) else known["function"]["arguments"] + arguments
            )
    if calls:
        message["tool_calls"] = list(calls.values())
    answer: dict[str, Any] = {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1,
        "model": body.get("model"),
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }
    return answer if options.get("usage") == "none" else {**answer, "usage": counted(frames, body, options)}


def models(names: list[str]) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": name, "object": "model", "created": 1} for name in names]}


def embeddings(body: dict[str, Any], options: Options) -> dict[str, Any]:
    """A vector for each input, which counts up from its place. ``packed=1`` answers base64 whatever was asked for."""
    given = body["input"]
    inputs = given if isinstance(given, list) and given and not isinstance(given[0], int) else [given]
    size = body.get("dimensions") or 4
    rows = []
    for at in range(len(inputs)):
        vector = [float(at + place) for place in range(size)]
        packed = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
        as_text = body.get("encoding_format") == "base64" or "packed" in options
        rows.append({"object": "embedding", "index": at, "embedding": packed if as_text else vector})
    count = sum(len(one.split()) if isinstance(one, str) else len(one) for one in inputs)
    usage = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "data": rows, "model": body["model"], "usage": usage}
