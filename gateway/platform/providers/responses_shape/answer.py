"""Deltas as a response, whole or as its numbered events in order."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.core import clock
from gateway.platform.providers.blocks import Block, Blocks, Kind, Step
from gateway.platform.providers.responses_shape.outputs import content_part, output_item, part_event
from gateway.platform.providers.types import ModelDelta, TokenUsage

# What a response repeats of its request, with the API's own defaults.
_ECHOED: dict[str, Any] = {
    "instructions": None, "max_output_tokens": None, "metadata": {}, "parallel_tool_calls": True,
    "reasoning": {"effort": None, "summary": None}, "temperature": 1.0, "text": {"format": {"type": "text"}},
    "tool_choice": "auto", "tools": [], "top_p": 1.0, "truncation": "disabled", "user": None,
}  # fmt: skip
_CUT = {"length": "max_output_tokens", "content_filter": "content_filter"}


class ResponseWriter:
    """One response being written: ``start``, ``feed`` each delta, ``finish``; or ``whole`` for a buffered one."""

    def __init__(self, *, answer_id: str, model: str, asked: dict[str, Any]) -> None:
        self.usage: TokenUsage | None = None
        self._id = answer_id
        echoed = {name: value if asked.get(name) is None else asked[name] for name, value in _ECHOED.items()}
        self._head = {
            "id": f"resp_{answer_id}",
            "object": "response",
            "created_at": int(clock.now().timestamp()),
            "model": model,
            **echoed,
            # Nothing is stored here, whatever was asked for: the answer says so.
            "store": False,
            "previous_response_id": None,
            "error": None,
            "incomplete_details": None,
        }
        self._blocks = Blocks()
        self._finish: str | None = None
        self._number = 0

    def start(self, **extras: Any) -> bytes:
        """The first events."""
        begun = {**self._head, "status": "in_progress", "output": [], "usage": None, **extras}
        return self._event("response.created", response=begun) + self._event("response.in_progress", response=begun)

    def feed(self, delta: ModelDelta) -> bytes:
        """The events of one delta; none for what only the end shows."""
        self._note(delta)
        return b"".join(self._shown(step) for step in self._blocks.feed(delta))

    def finish(self, **extras: Any) -> bytes:
        """The events after the last delta. ``extras`` are keys of ours on the response itself."""
        last = b"".join(self._shown(step) for step in self._blocks.finish())
        response = self._response(**extras)
        return last + self._event(f"response.{response['status']}", response=response)

    def whole(self, delta: ModelDelta, **extras: Any) -> bytes:
        """The response of an answer that is one delta."""
        self._note(delta)
        for _ in (*self._blocks.feed(delta), *self._blocks.finish()):
            continue
        return msgspec.json.encode(self._response(**extras))

    def _note(self, delta: ModelDelta) -> None:
        self.usage = delta.usage or self.usage
        self._finish = delta.finish_reason or self._finish

    def _response(self, **extras: Any) -> dict[str, Any]:
        reason = _CUT.get(self._finish or "")
        refused = any(block.kind is Kind.REFUSAL for block in self._blocks.made)
        if refused and reason == "content_filter":
            reason = None  # a refusal in words is a whole answer
        return {
            **self._head,
            "status": "incomplete" if reason else "completed",
            "incomplete_details": {"reason": reason} if reason else None,
            "output": [output_item(block, self._id, "completed") for block in self._blocks.made],
            "usage": _usage(self.usage),
            **extras,
        }

    def _shown(self, step: Step) -> bytes:
        block = step.block
        item_id, at = output_item(block, self._id, "in_progress")["id"], block.at
        if step.event == "begin":
            empty = Block(block.kind, block.at, call_id=block.call_id, name=block.name)
            item = output_item(empty, self._id, "in_progress")
            added = self._event("response.output_item.added", output_index=at, item=item)
            return added + self._part("added", empty, item_id)
        if step.event == "grow":
            return self._piece("delta", block, item_id, delta=step.text)
        name = {"name": block.name} if block.kind is Kind.CALL else {}
        done = self._piece("done", block, item_id, **{_whole_key(block): block.text}, **name)
        item = output_item(block, self._id, "completed")
        ended = self._part("done", block, item_id)
        return done + ended + self._event("response.output_item.done", output_index=at, item=item)

    def _piece(self, what: str, block: Block, item_id: str, **data: Any) -> bytes:
        kind, place = part_event(block)
        return self._event(f"{kind}.{what}", item_id=item_id, output_index=block.at, **place, **data)

    def _part(self, what: str, block: Block, item_id: str) -> bytes:
        part = content_part(block)
        if part is None:
            return b""
        summary = block.kind is Kind.THINKING
        kind = "response.reasoning_summary_part" if summary else "response.content_part"
        place = {"summary_index": 0} if summary else {"content_index": 0}
        return self._event(f"{kind}.{what}", item_id=item_id, output_index=block.at, **place, part=part)

    def _event(self, kind: str, **data: Any) -> bytes:
        number, self._number = self._number, self._number + 1
        value = msgspec.json.encode({"type": kind, "sequence_number": number, **data})
        return f"event: {kind}\ndata: ".encode() + value + b"\n\n"


def _whole_key(block: Block) -> str:
    return {Kind.CALL: "arguments", Kind.REFUSAL: "refusal"}.get(block.kind, "text")


def _usage(usage: TokenUsage | None) -> dict[str, Any] | None:
    if usage is None:
        return None
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
