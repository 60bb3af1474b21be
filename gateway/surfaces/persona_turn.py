"""A persona's turn in a dialect whose answers the providers' writers write: the engine's events in, its frames out.

What the dialect does not know (citations, proposed writes, the persona) stands in keys of its own beside the known
ones.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from gateway.core import ids
from gateway.engine.chat.types import Answer, Event, Usage
from gateway.platform.providers.translate import Writer
from gateway.platform.providers.types import ModelDelta, TokenUsage, ToolCallDelta
from gateway.surfaces.passing import Failure

Making = Callable[[str], Writer]
_PERSONA = ("persona_id", "persona_version", "conversation_id")


def whole(answer: Answer, writer: Writer) -> bytes:
    """The buffered answer."""
    calls = tuple(_call(at, call) for at, call in enumerate(answer.tool_calls))
    delta = ModelDelta(answer.content, calls, answer.finish_reason, _usage(answer.usage), answer.refused)
    return writer.whole(delta, **_persona(answer), **_extras(answer))


async def frames(events: AsyncIterator[Event], making: Making, failure: Failure) -> AsyncIterator[bytes]:
    """The answer's events as the dialect's; ``making`` gives the writer for the model's name. One that fails ends with
    its error."""
    writer: Writer | None = None
    last = b""
    try:
        async for event in events:
            if event.name == "message.start":
                writer = making(event.data["model"])
                last = writer.start(**{name: event.data[name] for name in _PERSONA})
            elif writer is None:
                continue
            elif event.answer is not None:
                end = ModelDelta(finish_reason=event.answer.finish_reason, usage=_usage(event.answer.usage))
                last = writer.feed(end) + writer.finish(**_extras(event.answer))
            elif event.name == "content.delta":
                last = writer.feed(_delta(event.data))
            else:
                continue
            if last:
                yield last
    except Exception as error:  # noqa: BLE001 - a stream that was promised ends with an error event, whatever failed
        yield failure(error, last)
    finally:
        await events.aclose()  # type: ignore[attr-defined]


def _delta(data: dict[str, Any]) -> ModelDelta:
    delta = data["delta"]
    calls = tuple(_call(call.get("index", 0), call) for call in delta.get("tool_calls", ()))
    return ModelDelta(delta.get("content"), calls, refusal=bool(data.get("refusal")))


def _call(at: int, call: dict[str, Any]) -> ToolCallDelta:
    function = call.get("function") or {}
    return ToolCallDelta(at, call.get("id"), function.get("name"), function.get("arguments") or "")


def _usage(usage: Usage) -> TokenUsage:
    return TokenUsage(usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens)


def _persona(answer: Answer) -> dict[str, Any]:
    return {name: getattr(answer, name) for name in _PERSONA}


def _extras(answer: Answer) -> dict[str, Any]:
    extras: dict[str, Any] = {
        "citations": [citation.wire() for citation in answer.citations],
        "proposedWrites": list(answer.proposed_writes),
        "request_id": ids.public("req", answer.request_id),
    }
    if answer.rejected_writes:
        extras["rejectedWrites"] = list(answer.rejected_writes)
    return extras
