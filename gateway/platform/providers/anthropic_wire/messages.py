"""OpenAI's messages as Anthropic's: what the system says apart, user and assistant in turn, tool results with the
user.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.platform.providers.anthropic_wire.parts import blocks_of, text_blocks
from gateway.platform.providers.errors import UpstreamRejected

_ODD = re.compile(r"[^a-zA-Z0-9_-]")
# Anthropic's conversations begin with the user; OpenAI's need not.
_OPENING = {"type": "text", "text": "(The conversation so far.)"}


def conversation(messages: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(the system's text blocks, the turns). Raises UpstreamRejected naming the message that has no counterpart."""
    system: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    for at, message in enumerate(messages):
        role, where = message.get("role"), f"messages[{at}]"
        if role in ("system", "developer"):
            system += text_blocks(message.get("content"), where)
        elif role == "assistant":
            _add(turns, "assistant", _assistant(message, where))
        elif role in ("tool", "function"):
            _add(turns, "user", [_result(message, where)])
        elif role == "user":
            _add(turns, "user", blocks_of(message.get("content"), where))
        else:
            raise UpstreamRejected(f"{where}: this model knows no role {role!r}.")
    if not turns or turns[0]["role"] != "user":
        turns.insert(0, {"role": "user", "content": [_OPENING]})
    _trim_prefill(turns[-1])
    return system, turns


def _add(turns: list[dict[str, Any]], role: str, blocks: list[dict[str, Any]]) -> None:
    """Roles alternate: what the same side says next joins what it said before. Silence is not a turn."""
    if not blocks:
        return
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"] += blocks
    else:
        turns.append({"role": role, "content": list(blocks)})


def _assistant(message: dict[str, Any], where: str) -> list[dict[str, Any]]:
    blocks = text_blocks(message.get("content") or message.get("refusal"), where)
    calls = message.get("tool_calls") or []
    if message.get("function_call"):
        calls = [{"id": _legacy(message["function_call"].get("name")), "function": message["function_call"]}]
    for call in calls:
        function = call.get("function") or {}
        if not function.get("name"):
            raise UpstreamRejected(f"{where}: a tool call without a function's name.")
        blocks.append(
            {
                "type": "tool_use",
                "id": _safe(call.get("id") or _legacy(function["name"])),
                "name": function["name"],
                "input": _arguments(function.get("arguments")),
            }
        )
    return blocks


def _result(message: dict[str, Any], where: str) -> dict[str, Any]:
    content = blocks_of(message.get("content"), where)
    call_id = message.get("tool_call_id") or _legacy(message.get("name"))
    return {"type": "tool_result", "tool_use_id": _safe(call_id)} | ({"content": content} if content else {})


def _arguments(text: Any) -> dict[str, Any]:
    """The arguments as the object that Anthropic wants. A model's malformed text is shown to it as it was."""
    if isinstance(text, dict):
        return text
    try:
        value = msgspec.json.decode(text or "{}")
    except (msgspec.DecodeError, TypeError):
        return {"arguments": str(text)}
    return value if isinstance(value, dict) else {"arguments": value}


def _legacy(name: Any) -> str:
    """An id for a call of the time before calls had one."""
    return f"call_{name}"


def _safe(call_id: Any) -> str:
    return _ODD.sub("_", str(call_id)) or "_"


def _trim_prefill(turn: dict[str, Any]) -> None:
    """A last turn of the assistant is the beginning of its answer and must not end in blanks."""
    last = turn["content"][-1]
    if turn["role"] == "assistant" and last["type"] == "text":
        last["text"] = last["text"].rstrip()
