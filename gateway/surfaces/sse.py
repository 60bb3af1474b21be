"""Server-sent events: framing, heartbeats, and the peek that keeps an HTTP status honest."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, TypeVar

from django.http import StreamingHttpResponse

from gateway.core import background

T = TypeVar("T")
HEARTBEAT_S = 15.0
HEARTBEAT = b": heartbeat\n\n"


def frame(data: Any, *, event: str | None = None, number: int | None = None) -> bytes:
    """One event. ``number`` becomes its id; control frames have none."""
    head = f"event: {event}\n" if event else ""
    if number is not None:
        head += f"id: {number}\n"
    return f"{head}data: {json.dumps(data, ensure_ascii=False, default=str)}\n\n".encode()


async def peek(events: AsyncIterator[T]) -> AsyncIterator[T]:
    """Wait for the first event, so that a failure before it is still an HTTP error; then all of them, the first
    included."""
    first = await anext(events)

    async def all_of_them() -> AsyncIterator[T]:
        try:
            yield first
            async for event in events:
                yield event
        finally:
            await events.aclose()  # type: ignore[attr-defined]

    return all_of_them()


async def with_heartbeats(frames: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The frames, and a comment whenever none came for 15 seconds, so that proxies keep the connection."""
    async for chunk in background.or_after(frames, HEARTBEAT_S, HEARTBEAT):
        yield chunk


def response(frames: AsyncIterator[bytes], *, about: dict[str, str] | None = None) -> StreamingHttpResponse:
    """The HTTP answer: not cached, not buffered by a proxy. ``about`` (the persona and the subject) makes it a stream
    that can be taken up again: each chunk that is no heartbeat must be one frame, numbered from 1."""
    answer = StreamingHttpResponse(frames, content_type="text/event-stream; charset=utf-8")
    answer["Cache-Control"] = "no-store"
    answer["X-Accel-Buffering"] = "no"
    if about is not None:
        answer.about = about  # type: ignore[attr-defined]
    return answer
