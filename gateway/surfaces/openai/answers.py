"""The engine's answer and events as OpenAI's clients read them.

What OpenAI does not know (citations, proposed writes, the persona) stands in keys of its own beside the known ones. In
a stream those are on ordinary chunks, which have ``choices``: clients break on events of another kind.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from gateway.core import ids
from gateway.core.endpoint import Call
from gateway.engine.chat.types import Answer, Event, Usage
from gateway.surfaces import problems, sse

_DONE = b"data: [DONE]\n\n"


def completion(answer: Answer) -> dict[str, Any]:
    """The whole answer."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.content, "refusal": None}
    if answer.refused:
        message |= {"content": None, "refusal": answer.content}
    if answer.tool_calls:
        message["tool_calls"] = list(answer.tool_calls)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish_reason}
    return {
        **_head(answer.request_id, answer.model, "chat.completion"),
        "choices": [choice],
        "usage": _usage(answer.usage),
        **_persona(answer),
        **_extras(answer),
        "request_id": ids.public("req", answer.request_id),
    }


async def frames(events: AsyncIterator[Event], call: Call, *, show_usage: bool) -> AsyncIterator[bytes]:
    """The answer's events as chunks. One that fails ends with its error, and then not with ``[DONE]``."""
    head: dict[str, Any] = {}
    usage = None
    try:
        async for event in events:
            if event.answer is not None:
                usage = event.answer.usage
                yield _chunk(head, {}, event.answer.finish_reason, **_extras(event.answer))
            elif event.name == "content.delta":
                yield _chunk(head, _delta(event.data))
            elif event.name == "message.start":
                head = _head(call.request_id, event.data["model"], "chat.completion.chunk")
                known = {name: event.data[name] for name in ("persona_id", "persona_version", "conversation_id")}
                yield _chunk(head, {"role": "assistant", "content": ""}, **known)
        if show_usage and usage is not None:
            yield sse.frame({**head, "choices": [], "usage": _usage(usage)})
        yield _DONE
    except Exception as error:  # noqa: BLE001 - a stream that was promised ends with an error event, whatever failed
        yield failure(error, call)
    finally:
        await events.aclose()  # type: ignore[attr-defined]


def failure(error: Exception, call: Call) -> bytes:
    """The frame that says why a stream ends before its time."""
    return sse.frame(problems.openai_error(problems.told(error, call), call))


def _head(request_id: UUID, model: str, kind: str) -> dict[str, Any]:
    made = int(ids.created_at(request_id).timestamp())
    return {"id": ids.public("chat", request_id), "object": kind, "created": made, "model": model}


def _chunk(head: dict[str, Any], delta: dict[str, Any], finish: str | None = None, **extras: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return sse.frame({**head, "choices": [choice], **extras})


def _delta(data: dict[str, Any]) -> dict[str, Any]:
    delta: dict[str, Any] = data["delta"]
    return {"refusal": delta["content"]} if data.get("refusal") else delta


def _persona(answer: Answer) -> dict[str, Any]:
    return {
        "persona_id": answer.persona_id,
        "persona_version": answer.persona_version,
        "conversation_id": answer.conversation_id,
    }


def _extras(answer: Answer) -> dict[str, Any]:
    extras: dict[str, Any] = {
        "citations": [citation.wire() for citation in answer.citations],
        "proposedWrites": list(answer.proposed_writes),
    }
    if answer.rejected_writes:
        extras["rejectedWrites"] = list(answer.rejected_writes)
    return extras


def _usage(usage: Usage) -> dict[str, Any]:
    return {**usage.wire(), "prompt_tokens_details": {"cached_tokens": usage.cached_tokens}}
