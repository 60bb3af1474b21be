"""From the admission of a plain request to the last byte of its answer and its settlement."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec

from gateway.core import ids
from gateway.core.valkey import CommandFailed, StoreUnavailable, Valkey
from gateway.engine.chat import passthrough
from gateway.engine.chat.metering import Meter
from gateway.engine.chat.prepared import Flight, Prepared
from gateway.platform.admission import leases
from gateway.platform.admission.prepared import Opened, call_in
from gateway.platform.admission.services.settle import resend
from gateway.platform.providers.types import Forwarded, TokenUsage
from gateway.platform.telemetry.metrics import Operation
from gateway.surfaces import passing, spine
from gateway.surfaces.fast_lane.asked import Message, Receive, Send
from gateway.surfaces.openai import answers

DONE = object()
_VERSION = (b"x-api-version", spine.API_VERSION.encode())
_JSON = (b"content-type", b"application/json")
_EVENTS = (
    (b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)  # fmt: skip


class Served(msgspec.Struct):
    """A request under way: its call, and the client that waits for it."""

    flight: Flight
    prepared: Prepared
    counters: Operation
    receive: Receive | None = None
    send: Send | None = None
    task: asyncio.Task[Any] | None = None
    look: asyncio.Task[None] | None = None
    gone: bool = False

    async def watch(self) -> None:
        """Cancel the request when its client goes away."""
        assert self.receive is not None  # noqa: S101 - nothing is under way without
        while (await self.receive())["type"] != "http.disconnect":
            continue
        if self.task is not None:
            self.gone = True
            self.task.cancel()


async def admitted(store: Valkey, prepared: Prepared, flight: Flight) -> Opened | None:
    """The admission, or None for anything but a plain yes; then nothing is held."""
    asked = prepared.admission
    try:
        reply = await store.submit_packed(asked.command(flight.request, flight.estimate, flight.tokens))
    except asyncio.CancelledError:
        asked.give_back(store, flight.request_id)
        raise
    except StoreUnavailable as error:
        if error.maybe_applied:
            asked.give_back(store, flight.request_id)
        return None
    except CommandFailed:
        return None
    return asked.opened(reply)


async def whole(store: Valkey, served: Served, opened: Opened, data: bytes, usage: TokenUsage | None) -> None:
    """Settle and send a buffered answer."""
    flight, prepared = served.flight, served.prepared
    flight.opened = None
    if usage is None:  # nobody counted: the meter estimates
        meter = prepared.ended(flight, opened, "ok")
        meter.seen_bytes, meter.ended = len(data), "ok"
        await meter.settle()
    else:
        _settle(store, prepared.settlement(flight, opened, usage))
    send: Any = served.send
    await send(_head(served, opened, (_JSON, (b"content-length", b"%d" % len(data)))))
    await send({"type": "http.response.body", "body": data})


def _settle(store: Valkey, command: bytes) -> None:
    """Nobody waits: it is on its way before the answer is, until the store has it the lease stands for it, and what
    does not arrive is written down."""
    try:
        store.post_packed(command, lambda error: resend(store, call_in(command), error))
    except StoreUnavailable as error:
        resend(store, call_in(command), error)


async def stream(served: Served, opened: Opened, answer: Forwarded) -> None:
    """Send a streamed answer: the first piece at once, then as any other stream, which settles at its end."""
    first, send = await anext(answer), served.send
    assert send is not None  # noqa: S101 - nothing is under way without
    try:
        await send(_head(served, opened, _EVENTS))
        await send({"type": "http.response.body", "body": first, "more_body": True})
    except BaseException:
        await answer.aclose()
        await _metered(served, opened, first).settle()
        raise
    meter = _metered(served, opened, first)
    frames = passing.frames(passthrough.Passed(answer, meter), lambda error, _: answers.failure(error, meter.call))
    try:
        async for chunk in frames:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    finally:
        await frames.aclose()
    await send({"type": "http.response.body", "body": b""})


def _metered(served: Served, opened: Opened, first: bytes) -> Meter:
    meter = served.prepared.ended(served.flight, opened, "ok")
    hand_over(served, meter)
    meter.seen(first)
    return meter


def hand_over(served: Served, meter: Meter) -> None:
    """From here on the lease is the meter's."""
    if meter.lease is not None:
        leases.keeper().hold(meter.lease)
    served.flight.opened = None


def _head(served: Served, opened: Opened, headers: tuple[tuple[bytes, bytes], ...]) -> Message:
    flight = served.flight
    served.counters.done(200, time.monotonic() - flight.began)
    request_id = b"req_" + ids.base32_of(flight.number).encode()
    return {
        "type": "http.response.start",
        "status": 200,
        "headers": [
            *headers, (b"x-request-id", request_id), (b"request-id", request_id), _VERSION,
            (b"ratelimit-limit", b"%d" % opened.limit),
            (b"ratelimit-remaining", b"%d" % max(0, opened.remaining)),
            (b"ratelimit-reset", b"%d" % max(0, round(opened.reset_ms / 1000))),
        ],
    }  # fmt: skip
