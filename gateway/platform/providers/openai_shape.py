"""OpenAI's shape for providers that do not speak it themselves: their requests out of its bodies, their answers as its
completions and chunks.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from gateway.core import clock
from gateway.core.errors import BadRequest
from gateway.platform.providers.types import ModelDelta, ModelRequest, ModelStream, Tally, TokenUsage, ToolCallDelta

_NOT_PARAMS = frozenset({"model", "messages", "tools", "tool_choice", "stream", "stream_options"})
DONE = b"data: [DONE]\n\n"


def request_of(body: bytes, *, model: str, stream: bool) -> tuple[ModelRequest, bool]:
    """(the request that an OpenAI body makes, whether it asks for the usage of a stream). Raises BadRequest."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise BadRequest(f"The body is not a JSON object: {error}.", status=400) from None
    messages, tools = fields.get("messages"), fields.get("tools") or []
    if not isinstance(messages, list) or not messages or not all(isinstance(row, dict) for row in messages):
        raise BadRequest("messages must be a list of messages, at least one.")
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise BadRequest("tools must be a list of tools.")
    options = fields.get("stream_options")
    params = {key: value for key, value in fields.items() if key not in _NOT_PARAMS}
    request = ModelRequest(model, tuple(messages), tuple(tools), fields.get("tool_choice"), params, stream)
    return request, isinstance(options, dict) and options.get("include_usage") is True


async def as_bytes(
    stream: ModelStream, tally: Tally, *, whole: bool, answer_id: str, model: str, show_usage: bool
) -> AsyncGenerator[bytes, None]:
    """The stream as the bytes of one ``whole`` completion, or of its chunks. ``model`` is the name that it shows."""
    head = {"id": f"chatcmpl-{answer_id}", "created": int(clock.now().timestamp()), "model": model}
    async with stream:
        if whole:
            yield await _whole(stream, head, tally)
            return
        chunk = head | {"object": "chat.completion.chunk"}
        role: dict[str, Any] = {"role": "assistant"}
        async for delta in stream:
            if delta.usage is not None:
                tally.usage = delta.usage
            if delta.content is not None or delta.thinking or delta.tool_calls or delta.finish_reason:
                choice = {"index": 0, "delta": role | _part(delta), "finish_reason": delta.finish_reason}
                yield frame(chunk | {"choices": [choice]})
                role = {}
        if show_usage and tally.usage is not None:
            yield frame(chunk | {"choices": [], "usage": usage_shape(tally.usage)})
        tally.finished = True
        yield DONE


async def _whole(stream: ModelStream, head: dict[str, Any], tally: Tally) -> bytes:
    async for delta in stream:  # a buffered answer is one delta
        message: dict[str, Any] = {"role": "assistant", "content": delta.content}
        if delta.thinking:
            message["reasoning_content"] = delta.thinking
        if delta.tool_calls:
            message["tool_calls"] = [_call(call, whole=True) for call in delta.tool_calls]
        choice = {"index": 0, "message": message, "finish_reason": delta.finish_reason}
        tally.usage, tally.finished = delta.usage, True
        usage = {"usage": usage_shape(delta.usage)} if delta.usage else {}
        return msgspec.json.encode(head | {"object": "chat.completion", "choices": [choice]} | usage)
    raise RuntimeError("a buffered answer has exactly one delta")


def _part(delta: ModelDelta) -> dict[str, Any]:
    part: dict[str, Any] = {} if delta.content is None else {"content": delta.content}
    if delta.thinking:  # the name that servers of open models gave it; OpenAI's clients leave it alone
        part["reasoning_content"] = delta.thinking
    if delta.tool_calls:
        part["tool_calls"] = [_call(call, whole=False) for call in delta.tool_calls]
    return part


def _call(call: ToolCallDelta, *, whole: bool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": call.name} if call.name else {}
    named = {"id": call.id, "type": "function"} if call.id else {}
    place = {} if whole else {"index": call.index}
    return place | named | {"function": function | {"arguments": call.arguments}}


def usage_shape(usage: TokenUsage) -> dict[str, Any]:
    """Token counts as a completion shows them."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def frame(value: dict[str, Any]) -> bytes:
    """One event of the stream."""
    return b"data: " + msgspec.json.encode(value) + b"\n\n"
