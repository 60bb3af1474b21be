"""What the scripted provider answers: frames of an OpenAI stream, by scenario. A buffered answer, and everything in
Anthropic's dialect, is made of the same frames.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Frame = dict[str, Any] | bytes
Options = dict[str, str]
WRITE = {"text": "Alex moved to Berlin", "type": "fact", "slot": "home.city", "confidence": 0.9}
EVENT = {"type": "calendar.create", "payload": {"title": "Dinner with Sam", "when": "Friday 19:00"}}
OWN = {"city": "Berlin"}
STRUCTURED = {"city": "Berlin", "days": 3}


class Cut(Exception):
    """The server drops the connection in the middle of an answer."""


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def call(index: int, *, name: str | None = None, call_id: str | None = None, arguments: Any = "") -> dict[str, Any]:
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
        chunk({}, options.get("finish", "stop")),
    ]


def said(text: str, size: int = 64) -> list[Frame]:
    return [
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": part}) for part in pieces(text, size)),
        chunk({}, "stop"),
    ]


def echo(options: Options, body: dict[str, Any]) -> list[Frame]:
    """Answers with the exact messages it was sent, as JSON; ``skip`` leaves out the first ones."""
    messages = list(body.get("messages") or ())[int(options.get("skip", "0")) :]
    return said(json.dumps(messages, ensure_ascii=False))


def lines(options: Options, body: dict[str, Any]) -> list[Frame]:
    """Answers with the first of ``lines`` (a JSON object) whose key stands in the last message; ``-`` without one."""
    asked = str((list(body.get("messages") or ()) or [{}])[-1].get("content"))
    known: dict[str, str] = json.loads(options.get("lines", "{}"))
    return said(next((text for key, text in known.items() if key in asked), "-"))


def images(options: Options, body: dict[str, Any]) -> list[Frame]:
    """Answers with the image and document parts it was sent, as JSON."""
    contents = [message.get("content") for message in body.get("messages", ())]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return said(json.dumps([part for part in parts if part.get("type") in ("image_url", "image", "document", "file")]))


def tools(options: Options, body: dict[str, Any]) -> list[Frame]:
    """See the package's docstring for ``case``."""
    write, event, own = json.dumps(WRITE), json.dumps(EVENT), json.dumps(OWN)
    case = options.get("case", "split")
    frames: list[Frame] = [chunk({"role": "assistant", "content": None})]
    if case in ("offered", "offered-parallel", "noindex", "object", "whole"):
        frames += _offered(case, _names(body), own)
    elif case == "malformed":
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


def _names(body: dict[str, Any]) -> list[str]:
    offered = [(tool.get("function") or tool).get("name") for tool in body.get("tools") or ()]
    return [name for name in offered if name] or ["lookup", "weather"]


def _offered(case: str, names: list[str], arguments: str) -> list[Frame]:
    if case == "object":
        return [call(0, name=names[0], arguments=json.loads(arguments))]
    if case == "whole":
        return [call(at, name=name, arguments=arguments) for at, name in enumerate(names[:2])]
    if case == "offered-parallel":
        parts = pieces(arguments, 4)
        begun = [call(at, name=name) for at, name in enumerate(names[:2])]
        return [*begun, *(call(at, arguments=part) for part in parts for at in range(len(begun)))]
    frames = [call(0, name=names[0]), *(call(0, arguments=part) for part in pieces(arguments, 4))]
    if case == "noindex":
        for frame in frames:
            del frame["choices"][0]["delta"]["tool_calls"][0]["index"]
    return list(frames)


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


def structured(options: Options, body: dict[str, Any]) -> list[Frame]:
    return said(json.dumps(STRUCTURED), 5)


def reasoning(options: Options, body: dict[str, Any]) -> list[Frame]:
    thoughts = [chunk({"role": "assistant", "reasoning_content": part}) for part in ("Let me ", "think.")]
    return [*thoughts, *plain(options, body)]


def refusal(options: Options, body: dict[str, Any]) -> list[Frame]:
    return [
        chunk({"role": "assistant", "refusal": None}),
        chunk({"refusal": "I cannot "}),
        chunk({"refusal": "help with that."}),
        chunk({}, options.get("finish", "content_filter")),
    ]


def short(options: Options, body: dict[str, Any]) -> list[Frame]:
    return [*words(options)[:3], chunk({}, "length")]


def nulls(options: Options, body: dict[str, Any]) -> list[Frame]:
    empty = {"role": None, "content": None, "refusal": None, "tool_calls": None, "function_call": None}
    frames = [chunk({**empty, **frame["choices"][0]["delta"]}) for frame in words(options)[:-1]]  # type: ignore[index]
    return [
        {**frame, "usage": None, "system_fingerprint": None, "service_tier": None}
        for frame in (*frames, {"choices": [{"index": 0, "delta": empty, "finish_reason": "stop", "logprobs": None}]})
    ]


SCENARIOS: dict[str, Callable[[Options, dict[str, Any]], list[Frame]]] = {
    "normal": plain,
    "ok": plain,
    "delay": plain,
    "drip": plain,
    "stall": plain,
    "stall-first": plain,
    "cut": plain,
    "break": broken,
    "status": plain,
    "flaky": plain,
    "non-json": plain,
    "html": plain,
    "echo": echo,
    "lines": lines,
    "images": images,
    "tools": tools,
    "json": structured,
    "reasoning": reasoning,
    "refusal": refusal,
    "length": short,
    "nulls": nulls,
    "error-mid": error_frame,
    "error-first": first_error,
    "huge": huge,
}
