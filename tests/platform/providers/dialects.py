"""One question in each dialect, and the answer put together again from a body or a stream, whoever answered."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from gateway.platform.providers.types import Forwarded, Provider, Shape

CITY: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PATHS = {Shape.CHAT: "/chat/completions", Shape.RESPONSES: "/responses", Shape.MESSAGES: "/messages"}


@dataclass
class Said:
    """What an answer says, in no dialect. ``calls`` are (name, arguments); ``events`` the names of a stream's."""

    text: str = ""
    thinking: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    ended: str | None = None
    usage: tuple[int, int, int] | None = None
    events: list[str] = field(default_factory=list)


def question(shape: Shape, text: str = "Hello there", *, tools: tuple[str, ...] = (), **more: Any) -> bytes:
    """A body of this shape, with tools of these names."""
    if shape is Shape.RESPONSES:
        body: dict[str, Any] = {"input": text}
        offered: list[Any] = [{"type": "function", "name": name, "parameters": CITY} for name in tools]
    elif shape is Shape.MESSAGES:
        body = {"messages": [{"role": "user", "content": text}], "max_tokens": 100}
        offered = [{"name": name, "input_schema": CITY} for name in tools]
    else:
        body = {"messages": [{"role": "user", "content": text}], "stream_options": {"include_usage": True}}
        offered = [{"type": "function", "function": {"name": name, "parameters": CITY}} for name in tools]
    return json.dumps({"model": "x", **body, **({"tools": offered} if tools else {}), **more}).encode()


async def ask(provider: Provider, shape: Shape, model: str, body: bytes, *, stream: bool) -> tuple[Said, Forwarded]:
    async with await provider.forward(body, model=model, stream=stream, shape=shape) as answer:
        data = b"".join([piece async for piece in answer])
    read = {Shape.CHAT: _chat, Shape.RESPONSES: _responses, Shape.MESSAGES: _messages}[shape]
    return read(events(data) if stream else json.loads(data)), answer


def events(data: bytes) -> list[dict[str, Any]]:
    """The events of a stream, each with its name, which is the type that its data has."""
    found = []
    for raw in data.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in raw.split("\n") if ": " in line and not line.startswith(":"))
        if not lines or lines["data"] == "[DONE]":
            continue
        event = json.loads(lines["data"])
        assert lines.get("event") == event.get("type"), raw
        found.append(event)
    return found


def _chat(answer: Any) -> Said:
    said, calls = Said(), {}
    for chunk in answer if isinstance(answer, list) else [answer]:
        said.usage = _chat_usage(chunk.get("usage")) or said.usage
        for choice in chunk["choices"]:
            part = choice.get("delta") or choice.get("message") or {}
            said.text += part.get("content") or ""
            said.thinking += part.get("reasoning_content") or ""
            said.ended = choice.get("finish_reason") or said.ended
            for at, call in enumerate(part.get("tool_calls") or ()):
                known = calls.setdefault(call.get("index", at), ["", ""])
                known[0] += call["function"].get("name") or ""
                known[1] += call["function"].get("arguments") or ""
    said.calls = [(name, json.loads(arguments)) for name, arguments in calls.values()]
    return said


def _chat_usage(usage: Any) -> tuple[int, int, int] | None:
    if not usage:
        return None
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    return usage["prompt_tokens"], usage["completion_tokens"], cached


def _responses(answer: Any) -> Said:
    said = Said()
    if isinstance(answer, list):
        said.events = [event["type"] for event in answer]
        assert [event["sequence_number"] for event in answer] == list(range(len(answer)))
        streamed = "".join(event["delta"] for event in answer if event["type"] == "response.output_text.delta")
        answer = answer[-1]["response"]
        assert streamed == _text(answer)
    said.text = _text(answer)
    for item in answer["output"]:
        if item["type"] == "reasoning":
            said.thinking += "".join(part["text"] for part in item["summary"])
        if item["type"] == "function_call":
            said.calls.append((item["name"], json.loads(item["arguments"])))
    said.ended = answer["status"]
    if usage := answer["usage"]:
        cached = usage["input_tokens_details"]["cached_tokens"]
        said.usage = usage["input_tokens"], usage["output_tokens"], cached
    return said


def _text(response: dict[str, Any]) -> str:
    parts = (part for item in response["output"] if item["type"] == "message" for part in item["content"])
    return "".join(part.get("text") or part.get("refusal") or "" for part in parts)


def _messages(answer: Any) -> Said:
    said = Said()
    if isinstance(answer, list):
        said.events = [event["type"] for event in answer]
        answer = _gathered(answer)
    for block in answer["content"]:
        said.text += block.get("text") or ""
        said.thinking += block.get("thinking") or ""
        if block["type"] == "tool_use":
            said.calls.append((block["name"], block["input"]))
    said.ended, usage = answer["stop_reason"], answer.get("usage")
    if usage:
        read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
        said.usage = usage["input_tokens"] + read + written, usage["output_tokens"], read
    return said


def _gathered(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that a stream makes, with its blocks begun, filled and ended one after the other."""
    message: dict[str, Any] = events[0]["message"]
    open_at = None
    for event in events[1:]:
        match event["type"]:
            case "content_block_start":
                assert open_at is None
                assert event["index"] == len(message["content"])
                open_at, partial = event["index"], ""
                message["content"].append(event["content_block"])
            case "content_block_delta":
                assert event["index"] == open_at
                delta, block = event["delta"], message["content"][-1]
                if delta["type"] == "input_json_delta":
                    partial += delta["partial_json"]
                else:
                    name = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
                    block[name[delta["type"]]] += delta[name[delta["type"]]]
            case "content_block_stop":
                if message["content"][-1]["type"] == "tool_use":
                    message["content"][-1]["input"] = json.loads(partial or "{}")
                open_at = None
            case "message_delta":
                message["stop_reason"] = event["delta"]["stop_reason"]
                message["usage"] = {**(message.get("usage") or {}), **(event.get("usage") or {})}
    return message
