"""The parts of the OpenAI answer that we read, as msgspec structs. Whatever else is in it is skipped, not refused."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.platform.providers.types import ModelDelta, TokenUsage, ToolCallDelta


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None

    def tokens(self) -> TokenUsage:
        details = self.prompt_tokens_details
        cached = details.cached_tokens if details else None
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
    """A whole message or a delta of one: the same fields."""

    content: Any = None  # a text; some servers send a list of parts
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None

    def text(self) -> str | None:
        if isinstance(self.content, list):
            parts = (part.get("text") for part in self.content if isinstance(part, dict))
            return "".join(part for part in parts if isinstance(part, str)) or None
        return (self.content if isinstance(self.content, str) else None) or self.refusal

    def calls(self) -> tuple[ToolCallDelta, ...]:
        return tuple(
            ToolCallDelta(
                at if call.index is None else call.index,
                call.id or None,
                (call.function.name if call.function else None) or None,
                call.function.text() if call.function else "",
            )
            for at, call in enumerate(self.tool_calls or ())
        )


class Choice(msgspec.Struct):
    index: int = 0
    delta: Message | None = None
    message: Message | None = None
    finish_reason: str | None = None


class Answer(msgspec.Struct):
    """A completion or one chunk of it, or what stands in its place: an error."""

    choices: list[Choice] | None = None
    usage: Usage | None = None
    error: Any = None

    def delta(self) -> ModelDelta:
        """The first choice's part of this answer (more than one is never asked for) with the usage beside it."""
        choice = next((choice for choice in self.choices or () if choice.index == 0), None)
        part = (choice.delta or choice.message) if choice else None
        return ModelDelta(
            content=part.text() if part else None,
            tool_calls=part.calls() if part else (),
            finish_reason=(choice.finish_reason or None) if choice else None,
            usage=self.usage.tokens() if self.usage else None,
        )


_decoder = msgspec.json.Decoder(Answer)


def decode(data: bytes) -> Answer:
    """Read a completion or a chunk. Raises msgspec.DecodeError (ValidationError included) for anything else."""
    return _decoder.decode(data)
