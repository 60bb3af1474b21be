"""Deltas as Anthropic's message, whole or as its events in order."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.platform.providers.blocks import Block, Blocks, Kind, Step
from gateway.platform.providers.types import ModelDelta, TokenUsage

_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_NOTHING = TokenUsage(0, 0)


def usage_shape(usage: TokenUsage | None) -> dict[str, Any]:
    """Token counts as a message shows them: what the cache took or gave stands beside ``input_tokens``, not in it."""
    known = usage or _NOTHING
    return {
        "input_tokens": max(0, known.prompt_tokens - known.cached_tokens - known.cache_write_tokens),
        "cache_creation_input_tokens": known.cache_write_tokens,
        "cache_read_input_tokens": known.cached_tokens,
        "output_tokens": known.completion_tokens,
    }


class MessageWriter:
    """One answer being written: ``start``, ``feed`` each delta, ``finish``; or ``whole`` for a buffered one."""

    def __init__(self, *, answer_id: str, model: str) -> None:
        self.usage: TokenUsage | None = None
        self._head = {"id": f"msg_{answer_id}", "type": "message", "role": "assistant", "model": model}
        self._blocks = Blocks()
        self._finish: str | None = None
        self._refused = False

    def start(self, **extras: Any) -> bytes:
        """The first event. How long the prompt was is told at the end, where the model tells it."""
        message = {**self._head, "content": [], "stop_reason": None, "stop_sequence": None, **extras}
        return _event("message_start", message={**message, "usage": usage_shape(None)}) + _event("ping")

    def feed(self, delta: ModelDelta) -> bytes:
        """The events of one delta; none for what only the end shows."""
        self._note(delta)
        return b"".join(_shown(step) for step in self._blocks.feed(delta))

    def finish(self, **extras: Any) -> bytes:
        """The events after the last delta. ``extras`` are keys of ours beside theirs on ``message_delta``."""
        last = b"".join(_shown(step) for step in self._blocks.finish())
        delta = {"stop_reason": self._stop_reason(), "stop_sequence": None}
        return (
            last
            + _event("message_delta", delta=delta, usage=usage_shape(self.usage), **extras)
            + _event("message_stop")
        )

    def whole(self, delta: ModelDelta, **extras: Any) -> bytes:
        """The message of an answer that is one delta."""
        self._note(delta)
        for _ in (*self._blocks.feed(delta), *self._blocks.finish()):
            continue
        message = {
            **self._head,
            "content": [_content(block) for block in self._blocks.made],
            "stop_reason": self._stop_reason(),
            "stop_sequence": None,
            "usage": usage_shape(self.usage),
        }
        return msgspec.json.encode({**message, **extras})

    def _note(self, delta: ModelDelta) -> None:
        self.usage = delta.usage or self.usage
        self._finish = delta.finish_reason or self._finish
        self._refused = self._refused or delta.refusal

    def _stop_reason(self) -> str:
        return "refusal" if self._refused else _STOPS.get(self._finish or "", "end_turn")


def _content(block: Block) -> dict[str, Any]:
    if block.kind is Kind.CALL:
        return {"type": "tool_use", "id": block.call_id, "name": block.name, "input": _arguments(block.text)}
    if block.kind is Kind.THINKING:
        return {"type": "thinking", "thinking": block.text, "signature": ""}
    return {"type": "text", "text": block.text}


def _arguments(text: str) -> dict[str, Any]:
    """Arguments as the object that Anthropic's clients expect; what a model cut short or made up stays readable."""
    try:
        value = msgspec.json.decode(text or "{}")
    except msgspec.DecodeError:
        value = text
    return value if isinstance(value, dict) else {"arguments": value}


def _shown(step: Step) -> bytes:
    block = step.block
    if step.event == "begin":
        empty = Block(block.kind, call_id=block.call_id, name=block.name)
        return _event("content_block_start", index=block.at, content_block=_content(empty))
    if step.event == "end":
        return _event("content_block_stop", index=block.at)
    if block.kind is Kind.CALL:
        delta = {"type": "input_json_delta", "partial_json": step.text}
    elif block.kind is Kind.THINKING:
        delta = {"type": "thinking_delta", "thinking": step.text}
    else:
        delta = {"type": "text_delta", "text": step.text}
    return _event("content_block_delta", index=block.at, delta=delta)


def _event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: ".encode() + msgspec.json.encode({"type": kind, **data}) + b"\n\n"
