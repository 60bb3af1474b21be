"""What the scripted provider answers: frames of a stream, by scenario. A buffered answer is made of the same frames."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Frame = dict[str, Any] | bytes
Options = dict[str, str]
WRITE = {"text": "Alex moved to Berlin", "type": "fact", "slot": "home.city", "confidence": 0.9}
EVENT = {"type": "calendar.create", "payload": {"title": "Dinner with Sam", "when": "Friday 19:00"}}


class Cut(Exception):
    """The server drops the connection in the middle of an answer."""


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def call(index: int, *, name: str | None = None, call_id: str | None = None, arguments: str = "") -> dict[str, Any]:
    function: dict[str, Any] = {"arguments": arguments}
    part: dict[str, Any] = {"index": index, "function": function}
    if name is not None:
        part |= {"id": call_id or f"call_{index}", "type": "function"}
        function["name"] = name
    return chunk({"tool_calls": [part]})


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def words(options: Options, text: str = "Hello from the fake upstream .") -> list[Frame]:
    count = int(options.get("chunks", "0"))
    parts = [f"w{number} " for number in range(count)] if count else [word + " " for word in text.split()]
    return [
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": part}) for part in parts),
        chunk({}, "stop"),
    ]


def echo(options: Options, body: dict[str, Any]) -> list[Frame]:
    """Answers with the exact messages it was sent, as JSON."""
    text = json.dumps(body.get("messages"), ensure_ascii=False)
    return [
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": part}) for part in pieces(text, 64)),
        chunk({}, "stop"),
    ]


def tools(options: Options, body: dict[str, Any]) -> list[Frame]:
    """``case``: split, malformed, parallel (interleaved), mixed (ours around the caller's own ``lookup``), text
    (content beside it).
    """
    write, event, own = json.dumps(WRITE), json.dumps(EVENT), json.dumps({"city": "Berlin"})
    case = options.get("case", "split")
    frames: list[Frame] = [chunk({"role": "assistant", "content": None})]
    if case == "malformed":
        frames += [call(0, name="ikiro_memory_upsert", arguments=write[:-9])]
    elif case == "parallel":
        frames += [call(0, name="ikiro_memory_upsert"), call(1, name="ikiro_propose_write")]
        left, right = pieces(write, 7), pieces(event, 5)
        for at in range(max(len(left), len(right))):
            frames += [call(0, arguments=left[at])] if at < len(left) else []
            frames += [call(1, arguments=right[at])] if at < len(right) else []
    elif case == "mixed":
        frames += [call(0, name="ikiro_memory_upsert"), call(1, name="lookup"), call(2, name="ikiro_propose_write")]
        for at in range(0, 200, 6):
            for index, text in enumerate((write, own, event)):
                frames += [call(index, arguments=text[at : at + 6])] if text[at : at + 6] else []
    else:
        if case == "text":
            frames += [chunk({"content": "I will keep that in mind."})]
        frames += [call(0, name="ikiro_memory_upsert"), *(call(0, arguments=part) for part in pieces(write, 3))]
    return [*frames, chunk({}, "tool_calls")]


def error_frame(options: Options, body: dict[str, Any]) -> list[Frame]:
    """Two words, then an error frame in the stream."""
    return [*words(options)[:3], {"error": {"message": "the model crashed", "type": "server_error"}}]


def first_error(options: Options, body: dict[str, Any]) -> list[Frame]:
    """A 200 whose first frame is an error."""
    return [{"error": {"message": "overloaded", "type": "server_error"}}]


def broken(options: Options, body: dict[str, Any]) -> list[Frame]:
    """Ends the HTTP answer properly, but without a finish_reason and without [DONE]."""
    return words(options)[:-1]


def huge(options: Options, body: dict[str, Any]) -> list[Frame]:
    part = "x" * 65536
    return [chunk({"content": part}) for _ in range(int(options.get("size", str(2**20))) // len(part))] + [
        chunk({}, "stop")
    ]


def plain(options: Options, body: dict[str, Any]) -> list[Frame]:
    return words(options, options.get("text", "Hello from the fake upstream .").replace("_", " "))


SCENARIOS: dict[str, Callable[[Options, dict[str, Any]], list[Frame]]] = {
    "normal": plain,
    "delay": plain,  # delay_ms before the first byte, chunks and pace_ms between them
    "stall": plain,  # silence after `after` frames (default 2)
    "cut": plain,  # drops the connection after `after` frames
    "break": broken,
    "status": plain,  # code=…, retry_after=…
    "non-json": plain,
    "echo": echo,
    "tools": tools,
    "error-mid": error_frame,
    "error-first": first_error,
    "huge": huge,
}
