"""The parts of the OpenAI answer that we read, as msgspec structs. Whatever else is in it is skipped, not refused."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.platform.providers.openai_wire.calls import CallNumbers
from gateway.platform.providers.types import ModelDelta, TokenUsage, ToolCallDelta

FINISHED = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
# What servers say in place of the words above.
_SYNONYMS = {
    "end_turn": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "complete": "stop",
    "completed": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "tool_use": "tool_calls",
    "tool_call": "tool_calls",
    "safety": "content_filter",
    "refusal": "content_filter",
}
# The model's server stopped for trouble of its own; the answer is not what it would have been.
GAVE_UP = frozenset({"error", "insufficient_system_resource", "abort", "aborted", "cancelled"})


def finish_of(reason: str | None) -> str | None:
    """A finish reason in OpenAI's words; an unknown one is an ordinary end."""
    if not reason:
        return None
    return reason if reason in FINISHED else _SYNONYMS.get(reason.lower(), "stop")


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    prompt_cache_hit_tokens: int | None = None  # DeepSeek's name

    def tokens(self) -> TokenUsage:
        details = self.prompt_tokens_details
        cached = (details.cached_tokens if details else None) or self.prompt_cache_hit_tokens
        return TokenUsage(self.prompt_tokens or 0, self.completion_tokens or 0, cached or 0)


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: Any = None  # a JSON text; some servers send the object itself

    def text(self) -> str:
        if self.arguments is None:
            return ""
        return self.arguments if isinstance(self.arguments, str) else msgspec.json.encode(self.arguments).decode()


class _ToolCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class Message(msgspec.Struct):
    """A whole message or a delta of one: the same fields. What a model thinks aloud is not its answer."""

    content: Any = None  # a text; some servers send a list of parts
    refusal: str | None = None
    reasoning_content: Any = None  # DeepSeek's name, and that of most servers of open models
    reasoning: Any = None  # OpenRouter's
    tool_calls: list[_ToolCall] | None = None

    def text(self) -> str | None:
        if isinstance(self.content, list):
            parts = (part.get("text") for part in self.content if isinstance(part, dict))
            return "".join(part for part in parts if isinstance(part, str)) or None
        return (self.content if isinstance(self.content, str) else None) or self.refusal

    def thinking(self) -> str | None:
        found = (said for said in (self.reasoning_content, self.reasoning) if isinstance(said, str) and said)
        return next(found, None)

    def calls(self, numbers: CallNumbers) -> tuple[ToolCallDelta, ...]:
        found = []
        for call in self.tool_calls or ():
            name = (call.function.name if call.function else None) or None
            index, call_id = numbers.place(call.index, call.id or None, name)
            found.append(ToolCallDelta(index, call_id, name, call.function.text() if call.function else ""))
        return tuple(found)


class Choice(msgspec.Struct):
    index: int | None = 0
    delta: Message | None = None
    message: Message | None = None
    finish_reason: str | None = None

    def part(self) -> Message | None:
        return self.delta or self.message


class Answer(msgspec.Struct):
    """A completion or one chunk of it, or what stands in its place: an error."""

    id: Any = None
    created: Any = None
    model: Any = None
    choices: list[Choice] | None = None
    usage: Usage | None = None
    error: Any = None

    @property
    def gave_up(self) -> str | None:
        """The finish reason of a choice that ended for trouble of the server's own."""
        for choice in self.choices or ():
            reason = choice.finish_reason
            if reason and reason not in FINISHED and reason.lower() in GAVE_UP:
                return reason
        return None

    def delta(self, numbers: CallNumbers) -> ModelDelta:
        """The first choice's part of this answer (more than one is never asked for) with the usage beside it."""
        choice = next((choice for choice in self.choices or () if not choice.index), None)
        part = choice.part() if choice else None
        return ModelDelta(
            content=part.text() if part else None,
            tool_calls=part.calls(numbers) if part else (),
            finish_reason=finish_of(choice.finish_reason) if choice else None,
            usage=self.usage.tokens() if self.usage else None,
            refusal=bool(part and part.refusal and not part.content),
            thinking=part.thinking() if part else None,
        )


_decoder = msgspec.json.Decoder(Answer)


def decode(data: bytes) -> Answer:
    """Read a completion or a chunk. Raises msgspec.DecodeError (ValidationError included) for anything else."""
    return _decoder.decode(data)
