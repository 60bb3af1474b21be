"""The lane itself: which requests it takes, and what becomes of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

from gateway.core import background, ids
from gateway.core.endpoint import Call, declared
from gateway.core.errors import GatewayError
from gateway.engine.chat.flights import Begun, Flight
from gateway.engine.chat.prepared import Prepared
from gateway.platform.admission import gate
from gateway.platform.admission.types import Lease
from gateway.platform.providers.entries import Failed
from gateway.platform.telemetry import tracing
from gateway.surfaces import signals
from gateway.surfaces.asgi import BEGUN, Receive, Scope, Send
from gateway.surfaces.body_limits import body_limit
from gateway.surfaces.fast_lane import answering, asked
from gateway.surfaces.fast_lane.answering import Served
from gateway.surfaces.fast_lane.direct import BODY, Client, DirectCall
from gateway.surfaces.fast_lane.heads import Found, Heads
from gateway.surfaces.fast_lane.known import Known
from gateway.surfaces.openai import envelope
from gateway.surfaces.openai.completions import completions

PATH = "/v1/chat/completions"
_MOST_BYTES = 1024 * 1024
# A client is looked after once its call has taken so long: most are over by then, and a task for each would cost them
# more than their parsing does.
_WATCH_AFTER_S = 0.2
_DONE = object()


class FastLane:
    """``usual`` is the lane for everything else; it takes on from ``scope[BEGUN]`` what was let in here."""

    def __init__(self, usual: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        endpoint = declared(completions)
        assert endpoint is not None  # noqa: S101 - every operation is declared
        self._usual = usual
        self._known = Known(endpoint)
        self._counters = signals.operation(endpoint.surface or "v1", completions)
        self._most_bytes = min(_MOST_BYTES, body_limit(PATH))
        self._heads = Heads(b"POST %b HTTP/1.1\r\n" % PATH.encode(), self._most_bytes)
        self._under_way: dict[int, Served] = {}
        self._direct: dict[int, DirectCall] = {}
        self._timer: asyncio.TimerHandle | None = None
        gate.keep_also(self._leases)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if BEGUN in scope:
            await self._usual(scope, asked.again(scope[BODY], receive), send)
            return
        credential = asked.credential(scope, self._most_bytes)
        if credential is None or tracing.recording():
            await self._usual(scope, receive, send)
            return
        began, loop = time.monotonic(), asyncio.get_running_loop()
        message = await receive()
        body = message.get("body") if not message.get("more_body") else await asked.rest(message, receive)
        if body is None:
            return  # the client hung up
        found = await self._plain(credential, body, began, loop)
        if found is None:
            await self._usual(scope, asked.again(body, receive), send)
            return
        prepared, flight = found
        served = Served(flight, prepared, self._counters, receive, send, asyncio.current_task(loop))
        self._under_way[flight.number] = served
        if self._timer is None:
            self._timer = loop.call_later(_WATCH_AFTER_S, self._look_after)
        try:
            begun = await self._serve(served, body)
            if begun is not _DONE:
                self._let_go(served)
                scope[BEGUN] = begun
                await self._usual(scope, asked.again(body, receive), send)
        except asyncio.CancelledError:
            if not served.gone:
                raise  # the server ends this request, not its client
        finally:
            self._let_go(served)

    def read(self, data: bytes) -> Found | None:
        """The plain request that ``data`` begins with; None for any other."""
        return self._heads.read(data)

    def direct(self, data: bytes, found: Found, client: Client) -> DirectCall | None:
        """What was found, now that it is complete, as a call that goes straight to its answer; None where that way is
        not open to it."""
        if tracing.recording():
            return None
        credential, start, _ = found
        body, began = data[start:], time.monotonic()
        try:
            read = envelope.read(body)
            if read.has_ours or read.stream or b'"n"' in body:
                return None
            prepared = self._known.standing((credential, read.model, False), began, client.loop)
        except GatewayError:
            return None
        if prepared is None or not prepared.warm():
            return None
        limit = read.max_completion_tokens or read.max_tokens
        flight = prepared.flight(ids.number7(), began, len(body), limit)
        return DirectCall(prepared, flight, body, client=client, counters=self._counters, under_way=self._direct)

    async def _plain(
        self, credential: bytes, body: bytes, began: float, loop: asyncio.AbstractEventLoop
    ) -> tuple[Prepared, Flight] | None:
        """The request as a plain one; None for the usual lane, which also says what is wrong."""
        try:
            read = envelope.read(body)
            if read.has_ours or b'"n"' in body:
                return None
            name = asked.hash_of(credential), read.model, bool(read.stream)
            prepared = self._known.standing(name, began, loop) or await self._known.prepared(name, credential, began)
        except GatewayError:
            return None
        if prepared is None:
            return None
        limit = read.max_completion_tokens or read.max_tokens
        return prepared, prepared.flight(ids.number7(), began, len(body), limit)

    async def _serve(self, served: Served, body: bytes) -> Call | object | None:
        """Answer the request: ``_DONE``. Else nothing was sent, and the usual lane goes on from the call that it is, or
        from the beginning (None)."""
        prepared, flight = served.prepared, served.flight
        if not await prepared.admit(flight):
            return None
        try:
            if prepared.stream:
                streamed = await prepared.open(flight, body)
            else:
                data, usage = await prepared.ask(flight, body)
        except Exception as error:  # noqa: BLE001 - whatever failed is answered, and tried again, in the usual lane
            meter = prepared.meter(flight)
            meter.call.begun = Begun(meter, Failed(error, flight.admitted))
            return meter.call
        except asyncio.CancelledError:
            await prepared.ended(flight, "client_closed").settle()
            raise
        if prepared.stream:
            await answering.stream(served, streamed)
        else:
            await answering.whole(served, data, usage)
        return _DONE

    def _let_go(self, served: Served) -> None:
        """This lane is no longer concerned with the request."""
        self._under_way.pop(served.flight.number, None)
        if served.look is not None:
            served.look.cancel()

    def _leases(self) -> Iterable[Lease]:
        """Those of calls under way that no meter has taken over."""
        here = [(one.prepared, one.flight) for one in self._under_way.values()]
        here += [(one.prepared, one.flight) for one in self._direct.values()]
        return [prepared.lease(flight) for prepared, flight in here if flight.held]

    def _look_after(self) -> None:
        """Begin to watch the clients of what has taken a while, and look again as long as there is anything."""
        self._timer = None
        if not self._under_way:
            return
        now = time.monotonic()
        for served in self._under_way.values():
            if served.look is None and now - served.flight.began >= _WATCH_AFTER_S / 2:
                served.look = background.start(served.watch(), name="client-watch")
        self._timer = asyncio.get_running_loop().call_later(_WATCH_AFTER_S, self._look_after)
