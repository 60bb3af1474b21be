"""The scripted provider in Anthropic's dialect. The scenarios' frames are OpenAI's; here they become content blocks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.upstream.scenarios import Frame, Options

_FIELDS = frozenset(
    """max_tokens messages model cache_control container context_management inference_geo metadata output_config
    service_tier stop_sequences stream system temperature thinking tool_choice tools top_k top_p""".split()  # noqa: SIM905
)
_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


def error(code: int, message: str, error_code: str | None = None) -> dict[str, Any]:
    kind = error_code or _TYPES.get(code, "api_error")
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_fake"}


def refused(headers: dict[str, str], body: dict[str, Any], path: str) -> tuple[int, dict[str, Any]] | None:
    """What the real API refuses, as (status, answer)."""
    if not headers.get("x-api-key"):
        return 401, error(401, "x-api-key header is required")
    problem = _problem(headers, body, counting=path.endswith("/count_tokens"))
    return None if problem is None else (400, error(400, problem))


def _problem(headers: dict[str, str], body: dict[str, Any], *, counting: bool = False) -> str | None:
    if "anthropic-version" not in headers:
        return "anthropic-version: header is required"
    unknown = sorted(set(body) - _FIELDS)
    if unknown:
        return f"{unknown[0]}: Extra inputs are not permitted"
    if not isinstance(body.get("max_tokens"), int) and not counting:
        return "max_tokens: Field required"
    messages = body.get("messages") or []
    if not messages or messages[0]["role"] != "user":
        return "messages: first message must use the user role"
    open_calls: set[str] = set()
    for at, message in enumerate(messages):
        if message["role"] not in ("user", "assistant"):
            return f"messages.{at}.role: Input should be 'user' or 'assistant'"
        if at and message["role"] == messages[at - 1]["role"]:
            return f"messages.{at}: roles must alternate"
        if not message["content"]:
            return f"messages.{at}: content must not be empty"
        blocks = message["content"] if isinstance(message["content"], list) else []
        if any(block["type"] == "text" and not block["text"].strip() for block in blocks):
            return f"messages.{at}: text content blocks must contain non-whitespace text"
        results = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
        if results != open_calls:
            return f"messages.{at}: tool_use ids without tool_result blocks, or the reverse"
        open_calls = {block["id"] for block in blocks if block["type"] == "tool_use"}
    return None


def stream(name: str, options: Options, frames: list[Frame], body: dict[str, Any]) -> Iterator[bytes]:
    """Every event of the stream, ``message_stop`` included."""
    usage = options.get("usage") != "none"
    counts = counted(frames, body, options)
    if isinstance(frames[0], dict) and "error" in frames[0]:
        yield event("error", error(529, "Overloaded"))
        return
    begin = _message(body) | ({"usage": {**counts, "output_tokens": 1}} if usage else {})
    yield event("message_start", {"message": begin})
    yield event("ping", {})
    for at, block in enumerate(blocks(frames)):
        deltas = block.pop("deltas")
        yield event("content_block_start", {"index": at, "content_block": block})
        for delta in deltas:
            yield event("content_block_delta", {"index": at, "delta": delta})
        if name not in ("break", "error-mid"):
            yield event("content_block_stop", {"index": at})
    if name == "error-mid":
        yield event("error", error(529, "Overloaded"))
    if name in ("break", "error-mid"):
        return
    told = {"usage": {"output_tokens": counts["output_tokens"]}} if usage else {}
    yield event("message_delta", {"delta": {"stop_reason": _stop(frames, options), "stop_sequence": None}, **told})
    if options.get("done") != "0":
        yield event("message_stop", {})


def event(kind: str, data: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


def blocks(frames: list[Frame]) -> list[dict[str, Any]]:
    """The content blocks as a stream starts them, each with its ``deltas``. Calls that OpenAI would interleave stand
    one after the other.
    """
    made: dict[Any, dict[str, Any]] = {}
    for frame in frames:
        if not isinstance(frame, dict) or "error" in frame:
            continue
        delta = frame["choices"][0]["delta"]
        if delta.get("reasoning_content"):
            block = made.setdefault("thinking", {"type": "thinking", "thinking": "", "signature": "", "deltas": []})
            block["deltas"].append({"type": "thinking_delta", "thinking": delta["reasoning_content"]})
        if text := delta.get("content") or delta.get("refusal"):
            block = made.setdefault("text", {"type": "text", "text": "", "deltas": []})
            block["deltas"].append({"type": "text_delta", "text": text})
        for part in delta.get("tool_calls") or ():
            at = part.get("index", 0)
            if at not in made:
                name = part["function"]["name"]
                made[at] = {"type": "tool_use", "id": f"toolu_{at}", "name": name, "input": {}, "deltas": []}
            arguments = part["function"]["arguments"]
            text = arguments if isinstance(arguments, str) else json.dumps(arguments)
            made[at]["deltas"].append({"type": "input_json_delta", "partial_json": text})
    if "thinking" in made:
        made["thinking"]["deltas"].append({"type": "signature_delta", "signature": "c2lnbmVk"})
    return list(made.values())


def whole(options: Options, frames: list[Frame], body: dict[str, Any]) -> dict[str, Any]:
    """The buffered message, or the error that stands in its place."""
    if any(isinstance(frame, dict) and "error" in frame for frame in frames):
        return error(529, "Overloaded")
    content = [_joined(block) for block in blocks(frames)]
    answer = _message(body) | {"content": content, "stop_reason": _stop(frames, options)}
    return answer if options.get("usage") == "none" else {**answer, "usage": counted(frames, body, options)}


def _joined(block: dict[str, Any]) -> dict[str, Any]:
    deltas = block.pop("deltas")
    if block["type"] == "text":
        return {**block, "text": "".join(delta["text"] for delta in deltas)}
    if block["type"] == "thinking":
        thought = "".join(delta.get("thinking", "") for delta in deltas)
        return {**block, "thinking": thought, "signature": deltas[-1]["signature"]}
    text = "".join(delta["partial_json"] for delta in deltas)
    try:
        return {**block, "input": json.loads(text or "{}")}
    except ValueError:
        return {**block, "input": {"cut": text}}  # a whole message never holds half an object


def _message(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "msg_fake",
        "type": "message",
        "role": "assistant",
        "model": body.get("model"),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _stop(frames: list[Frame], options: Options) -> str | None:
    if "finish" in options:
        return options["finish"]
    last = frames[-1]["choices"][0]["finish_reason"] if isinstance(frames[-1], dict) else None
    return _STOPS.get(last or "")


def counted(frames: list[Frame], body: dict[str, Any], options: Options) -> dict[str, Any]:
    return {
        "input_tokens": prompt_tokens(body),
        "output_tokens": len(frames),
        "cache_read_input_tokens": int(options.get("cached", "0")),
        "cache_creation_input_tokens": int(options.get("cache_write", "0")),
    }


def prompt_tokens(body: dict[str, Any]) -> int:
    return len(json.dumps(body.get("messages", [])).split())


def models(names: list[str]) -> dict[str, Any]:
    shown = [
        {"type": "model", "id": name, "display_name": name.title(), "created_at": "2026-01-01T00:00:00Z"}
        for name in names
    ]
    ends = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None}
    return {"data": shown, "has_more": False, **ends}
