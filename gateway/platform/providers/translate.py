"""A body of one shape, answered in it by a provider that speaks another: read into the one request, opened, and the
deltas written back.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Protocol

from gateway.platform.providers import messages_shape, openai_shape, responses_shape
from gateway.platform.providers.reading import decoded, not_served
from gateway.platform.providers.types import (
    Forwarded,
    ModelDelta,
    ModelRequest,
    ModelStream,
    Shape,
    Tally,
    TokenUsage,
    first_of,
)

Opening = Callable[[ModelRequest], Awaitable[ModelStream]]
# What of a caller's wishes the model that answers has no counterpart for.
IGNORED = "x-ikiro-ignored"


class Writer(Protocol):
    """An answer in some dialect."""

    usage: TokenUsage | None

    def start(self, **extras: Any) -> bytes: ...

    def feed(self, delta: ModelDelta) -> bytes: ...

    def finish(self, **extras: Any) -> bytes: ...

    def whole(self, delta: ModelDelta, **extras: Any) -> bytes: ...


async def forward(
    opening: Opening, body: bytes, *, provider: str, model: str, shown: str, stream: bool, shape: Shape,
    answer_id: str | None = None,
) -> Forwarded:  # fmt: skip
    """The answer in the body's ``shape``, with ``shown`` for the model's name. Raises what ``opening`` raises, and
    BadRequest for a body that cannot be translated or a shape that no model's words can fill."""
    made_id, tally = answer_id or secrets.token_hex(12), Tally()
    if shape is Shape.CHAT:
        request, asked = openai_shape.request_of(body, model=model, stream=stream)
        pieces = openai_shape.as_bytes(
            await opening(request), tally, whole=not stream, answer_id=made_id, model=shown, show_usage=asked
        )
    else:
        fields = decoded(body)
        request = _request(provider, fields, model, stream=stream, shape=shape)
        writer = _writer(fields, shown, shape, made_id)
        pieces = _written(await opening(request), writer, tally, whole=not stream)
    headers = {"content-type": "text/event-stream" if stream else "application/json"}
    if request.ignored:
        headers[IGNORED] = ", ".join(dict.fromkeys(request.ignored))
    return Forwarded(await first_of(pieces), pieces, headers, tally)


def _request(provider: str, fields: dict[str, Any], model: str, *, stream: bool, shape: Shape) -> ModelRequest:
    if shape is Shape.MESSAGES:
        return messages_shape.request_of(fields, model=model, stream=stream)
    if shape is Shape.RESPONSES:
        return responses_shape.request_of(fields, model=model, stream=stream)
    raise not_served(provider, str(shape).replace("_", " "))


def _writer(fields: dict[str, Any], shown: str, shape: Shape, made_id: str) -> Writer:
    if shape is Shape.MESSAGES:
        return messages_shape.MessageWriter(answer_id=made_id, model=shown)
    return responses_shape.ResponseWriter(answer_id=made_id, model=shown, asked=fields)


async def _written(stream: ModelStream, writer: Writer, tally: Tally, *, whole: bool) -> AsyncGenerator[bytes, None]:
    async with stream:
        if whole:
            async for delta in stream:  # a buffered answer is one delta
                tally.usage, tally.finished = delta.usage, True
                yield writer.whole(delta)
            return
        head = writer.start()
        async for delta in stream:
            tally.usage = delta.usage or tally.usage
            if out := writer.feed(delta):
                yield head + out
                head = b""
        tally.finished = True
        yield head + writer.finish()
