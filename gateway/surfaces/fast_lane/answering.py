"""The answer of a plain request, to its last byte and its settlement."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec

from gateway.core import ids
from gateway.engine.chat import passthrough
from gateway.engine.chat.flights import Flight, opened_by
from gateway.engine.chat.metering import Meter
from gateway.engine.chat.prepared import Prepared
from gateway.platform.providers.types import Forwarded, TokenUsage
from gateway.platform.telemetry.metrics import Operation
from gateway.surfaces import asgi, passing, spine
from gateway.surfaces.asgi import Message, Receive, Send
from gateway.surfaces.openai import answers

Headers = tuple[tuple[bytes, bytes], ...]
# What every answer says of its call, and of its body when it is a buffered one.
_OF_A_CALL: Headers = (
    (b"x-request-id", b"req_%b"), (b"request-id", b"req_%b"), (b"x-api-version", b"%b"), (b"ratelimit-limit", b"%d"),
    (b"ratelimit-remaining", b"%d"), (b"ratelimit-reset", b"%d"),
)  # fmt: skip
_JSON = (b"content-type", b"application/json")
_VERSION = spine.API_VERSION.encode()
_LINES = b"".join(b"%b: %b\r\n" % line for line in (_JSON, (b"content-length", b"%d"), *_OF_A_CALL))
_EVENTS = (
    (b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)  # fmt: skip


class Served(msgspec.Struct):
    """A request under way: its call, and the client that waits for it."""

    flight: Flight
    prepared: Prepared
    counters: Operation
    receive: Receive
    send: Send
    task: asyncio.Task[Any] | None
    look: asyncio.Task[None] | None = None
    gone: bool = False

    async def watch(self) -> None:
        """Cancel the request when its client goes away."""
        await asgi.hung_up(self.receive)
        if self.task is not None:
            self.gone = True
            self.task.cancel()


async def whole(served: Served, data: bytes, usage: TokenUsage | None) -> None:
    """Settle and send a buffered answer."""
    await served.prepared.settle(served.flight, len(data), usage)
    await served.send(_head(served, (_JSON, (b"content-length", b"%d" % len(data)))))
    await served.send({"type": "http.response.body", "body": data})


async def stream(served: Served, answer: Forwarded) -> None:
    """Send a streamed answer: the first piece at once, then as any other stream, which settles at its end."""
    first = await anext(answer)
    try:
        await served.send(_head(served, _EVENTS))
        await served.send({"type": "http.response.body", "body": first, "more_body": True})
    except BaseException:
        await answer.aclose()
        await _metered(served, first).settle()
        raise
    meter = _metered(served, first)
    frames = passing.frames(passthrough.Passed(answer, meter), lambda error, _: answers.failure(error, meter.call))
    await asgi.send_chunks(frames, served.send)


def _metered(served: Served, first: bytes) -> Meter:
    meter = served.prepared.ended(served.flight, "ok")
    meter.seen(first)
    return meter


def _head(served: Served, kind: Headers) -> Message:
    served.counters.done(200, time.monotonic() - served.flight.began)
    values = _values(served.flight)
    headers = [*kind, *((name, value % values[at]) for at, (name, value) in enumerate(_OF_A_CALL))]
    return {"type": "http.response.start", "status": 200, "headers": headers}


def lines(flight: Flight, length: int) -> bytes:
    """The header lines of a buffered answer of so many bytes."""
    return _LINES % (length, *_values(flight))


def _values(flight: Flight) -> tuple[str | int | bytes, ...]:
    opened = opened_by(flight)
    request_id = ids.base32_of(flight.number).encode()
    return (
        request_id, request_id, _VERSION,
        opened.limit, max(0, opened.remaining), max(0, round(opened.reset_ms / 1000)),
    )  # fmt: skip
