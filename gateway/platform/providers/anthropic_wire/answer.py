"""Anthropic's answers as deltas: content blocks become text, thinking and numbered tool calls."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.platform.providers.refusals import Refusals
from gateway.platform.providers.types import ModelDelta, TokenUsage, ToolCallDelta

_STOPS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class _Usage(msgspec.Struct):
    """Tokens read from the cache and written into it stand beside ``input_tokens``, not in it."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


class _Block(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None


class _Delta(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class Message(msgspec.Struct):
    """A whole message, or what stands in its place: an error."""

    type: str = ""
    content: list[_Block] | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None
    error: Any = None


class Event(msgspec.Struct):
    """One event of a stream."""

    type: str = ""
    index: int = 0
    message: Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: Any = None


_message = msgspec.json.Decoder(Message)
_event = msgspec.json.Decoder(Event)


def finish_of(reason: str | None) -> str:
    """A stop reason in OpenAI's words; an unknown one is an ordinary end."""
    return _STOPS.get(reason or "", "stop")


def message_of(refusals: Refusals, body: bytes) -> ModelDelta:
    """A buffered message as the one delta it is. Raises UpstreamError for an error, UpstreamBroken for anything that
    is no message.
    """
    try:
        message = _message.decode(body)
    except msgspec.DecodeError:
        raise refusals.no_answer() from None
    if message.error is not None:
        raise refusals.inside(message.error)
    if message.content is None:
        raise refusals.no_answer()
    counts = Counts()
    counts.take(message.usage)
    called = [block for block in message.content if block.type == "tool_use"]
    return ModelDelta(
        content="".join(block.text or "" for block in message.content if block.type == "text") or None,
        tool_calls=tuple(
            ToolCallDelta(at, block.id, block.name, msgspec.json.encode(block.input or {}).decode())
            for at, block in enumerate(called)
        ),
        finish_reason=finish_of(message.stop_reason),
        usage=counts.tokens(),
        thinking="".join(block.thinking or "" for block in message.content if block.type == "thinking") or None,
    )


class Counts:
    """The usage of one answer: the start tells the input, the end the output, and the later word counts."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def take(self, usage: _Usage | None) -> None:
        for name in _Usage.__struct_fields__:
            value = getattr(usage, name, None)
            if value is not None:
                self._known[name] = value

    def tokens(self) -> TokenUsage | None:
        if "output_tokens" not in self._known:
            return None
        read, written = (self._known.get(f"cache_{name}_input_tokens", 0) for name in ("read", "creation"))
        prompt = self._known.get("input_tokens", 0) + read + written
        return TokenUsage(prompt, self._known["output_tokens"], read, written)


class Reading:
    """The events of one stream on their way to deltas. ``done`` once nothing more counts."""

    def __init__(self, refusals: Refusals) -> None:
        self.spoke = self.finished = self.done = False
        self._refusals = refusals
        self._counts = Counts()
        self._calls: dict[int, int] = {}  # content block → number of the tool call
        self._unsaid: dict[int, str] = {}  # a block's arguments as long as no fragment of them came

    def feed(self, data: bytes) -> tuple[ModelDelta, ...]:
        """The deltas of one event. Raises msgspec.DecodeError, and UpstreamError for an error event."""
        event = _event.decode(data)
        if self.done:
            return ()
        match event.type:
            case "message_start":
                self._counts.take(event.message.usage if event.message else None)
            case "content_block_start" if event.content_block is not None:
                return self._said(self._started(event.index, event.content_block))
            case "content_block_delta" if event.delta is not None:
                return self._said(self._continued(event.index, event.delta))
            case "content_block_stop":
                return self._said(self._stopped(event.index))
            case "message_delta":
                return self._said(self._ended(event))
            case "message_stop":
                if not self.finished:
                    raise self._refusals.broke_off()
                self.done = True
            case "error":
                raise self._refusals.inside(event.error)
            case "" if event.error is not None:
                raise self._refusals.inside(event.error)
        return ()  # ping, and whatever is new

    def _said(self, delta: ModelDelta | None) -> tuple[ModelDelta, ...]:
        if delta is None or not delta.says_something():
            return ()
        self.spoke = True
        return (delta,)

    def _started(self, index: int, block: _Block) -> ModelDelta | None:
        if block.type == "text":
            return ModelDelta(block.text)
        if block.type == "thinking":
            return ModelDelta(thinking=block.thinking)
        if block.type != "tool_use":
            return None
        number = self._calls[index] = len(self._calls)
        self._unsaid[index] = msgspec.json.encode(block.input or {}).decode()
        return ModelDelta(tool_calls=(ToolCallDelta(number, block.id, block.name),))

    def _continued(self, index: int, delta: _Delta) -> ModelDelta | None:
        if delta.type == "text_delta":
            return ModelDelta(delta.text)
        if delta.type == "thinking_delta":
            return ModelDelta(thinking=delta.thinking)
        if delta.type != "input_json_delta" or index not in self._calls or not delta.partial_json:
            return None
        self._unsaid.pop(index, None)
        return ModelDelta(tool_calls=(ToolCallDelta(self._calls[index], arguments=delta.partial_json),))

    def _stopped(self, index: int) -> ModelDelta | None:
        arguments = self._unsaid.pop(index, None)
        if arguments is None:
            return None
        return ModelDelta(tool_calls=(ToolCallDelta(self._calls[index], arguments=arguments),))

    def _ended(self, event: Event) -> ModelDelta | None:
        self._counts.take(event.usage)
        if event.delta is None or event.delta.stop_reason is None:
            return None
        self.finished = True
        return ModelDelta(finish_reason=finish_of(event.delta.stop_reason), usage=self._counts.tokens())
