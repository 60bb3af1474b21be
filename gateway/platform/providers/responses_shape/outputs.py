"""Blocks as output items of a response, and the names of their events."""

from __future__ import annotations

from typing import Any

from gateway.platform.providers.blocks import Block, Kind

_PREFIXES = {Kind.TEXT: "msg", Kind.REFUSAL: "msg", Kind.THINKING: "rs", Kind.CALL: "fc"}


def output_item(block: Block, answer_id: str, status: str) -> dict[str, Any]:
    """One item of ``output``. An item that has only begun holds nothing yet."""
    item_id = f"{_PREFIXES[block.kind]}_{answer_id}{block.at:02d}"
    if block.kind is Kind.CALL:
        called = {"call_id": block.call_id, "name": block.name, "arguments": block.text}
        return {"id": item_id, "type": "function_call", "status": status, **called}
    part = content_part(block)
    shown = [] if part is None or status == "in_progress" else [part]
    if block.kind is Kind.THINKING:
        return {"id": item_id, "type": "reasoning", "summary": shown, "encrypted_content": None, "status": status}
    return {"id": item_id, "type": "message", "role": "assistant", "status": status, "content": shown}


def content_part(block: Block) -> dict[str, Any] | None:
    """The part of an item that holds its text; None for a call, which has none."""
    match block.kind:
        case Kind.TEXT:
            return {"type": "output_text", "text": block.text, "annotations": [], "logprobs": []}
        case Kind.REFUSAL:
            return {"type": "refusal", "refusal": block.text}
        case Kind.THINKING:
            return {"type": "summary_text", "text": block.text}
        case _:
            return None


def part_event(block: Block) -> tuple[str, dict[str, Any]]:
    """(the name of the events that fill a block, what says where in its item)."""
    match block.kind:
        case Kind.CALL:
            return "response.function_call_arguments", {}
        case Kind.REFUSAL:
            return "response.refusal", {"content_index": 0}
        case Kind.THINKING:
            return "response.reasoning_summary_text", {"summary_index": 0}
        case _:
            return "response.output_text", {"content_index": 0, "logprobs": []}
