"""The lane itself: which requests it takes, and what becomes of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from gateway.core import background, ids
from gateway.core.endpoint import Call, declared
from gateway.core.errors import GatewayError
from gateway.engine.chat.prepared import Begun
from gateway.platform.admission import gate, leases
from gateway.platform.admission.types import Lease
from gateway.platform.providers.entries import Failed
from gateway.platform.telemetry import tracing
from gateway.surfaces import signals
from gateway.surfaces.fast_lane import answering, asked
from gateway.surfaces.fast_lane.answering import Served
from gateway.surfaces.fast_lane.known import Known, name_of
from gateway.surfaces.openai import envelope
from gateway.surfaces.openai.completions import completions

if TYPE_CHECKING:
    from gateway.surfaces.fast_lane.asked import Receive, Scope, Send

PATH = "/v1/chat/completions"
# Where the usual lane finds the ``Call`` of a request that was let in here.
BEGUN = "ikiro.begun"
# A client is looked after once its call has taken so long: most are over by then, and a task for each would cost them
# more than their parsing does.
_WATCH_AFTER_S = 0.2


class FastLane:
    """``usual`` is the lane for everything else; it takes on from ``scope[BEGUN]`` what was let in here."""

    def __init__(self, usual: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        endpoint = declared(completions)
        assert endpoint is not None  # noqa: S101 - every operation is declared
        self._usual = usual
        self._known = Known(endpoint)
        self._counters = signals.operation(endpoint.surface or "v1", completions)
        self._under_way: dict[int, Served] = {}
        self._timer: asyncio.TimerHandle | None = None
        leases.keeper().also(self._leases)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        credential = asked.credential(scope)
        if credential is None or tracing.recording():
            await self._usual(scope, receive, send)
            return
        began, loop = time.monotonic(), asyncio.get_running_loop()
        message = await receive()
        body = message.get("body") if not message.get("more_body") else await asked.rest(message, receive)
        if body is None:
            return  # the client hung up
        served = await self._plain(credential, body, began)
        if served is None:
            await self._usual(scope, asked.again(body, receive), send)
            return
        served.receive, served.send, served.task = receive, send, asyncio.current_task(loop)
        try:
            begun = await self._serve(served, body)
        except asyncio.CancelledError:
            if not served.gone:
                raise  # the server ends this request, not its client
            return
        finally:
            del self._under_way[served.flight.number]
            if served.look is not None:
                served.look.cancel()
        if begun is not answering.DONE:
            scope[BEGUN] = begun
            await self._usual(scope, asked.again(body, receive), send)

    async def _plain(self, credential: bytes, body: bytes, began: float) -> Served | None:
        """The request as a plain one, under way from now on; None for the usual lane, which also says what is wrong."""
        try:
            read = envelope.read(body)
            if read.has_ours or b'"n"' in body:
                return None
            name = name_of(credential, read.model, stream=bool(read.stream))
            prepared = self._known.standing(name, began) or await self._known.prepared(name, credential, began)
        except GatewayError:
            return None
        if prepared is None:
            return None
        number = ids.number7()
        flight = prepared.flight(number, began, len(body), read.max_completion_tokens or read.max_tokens)
        served = self._under_way[number] = Served(flight, prepared, self._counters)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_WATCH_AFTER_S, self._look_after)
        return served

    async def _serve(self, served: Served, body: bytes) -> Call | object | None:
        """Answer the request: ``DONE``. Else nothing was sent, and the usual lane goes on from the call that it is, or
        from the beginning (None)."""
        prepared, flight, store = served.prepared, served.flight, gate.store()
        opened = await answering.admitted(store, prepared, flight)
        if opened is None:
            return None
        flight.admitted, flight.opened = time.monotonic(), opened
        try:
            if prepared.stream:
                streamed = await prepared.open(flight, body)
            else:
                data, usage = await prepared.ask(flight, body)
        except Exception as error:  # noqa: BLE001 - whatever failed is answered, and tried again, in the usual lane
            meter = prepared.meter(flight, opened)
            answering.hand_over(served, meter)
            meter.call.begun = Begun(meter, Failed(error, flight.admitted))
            return meter.call
        except asyncio.CancelledError:
            await prepared.ended(flight, opened, "client_closed").settle()
            raise
        if prepared.stream:
            await answering.stream(served, opened, streamed)
        else:
            await answering.whole(store, served, opened, data, usage)
        return answering.DONE

    def _leases(self) -> Iterable[Lease]:
        for served in list(self._under_way.values()):
            if served.flight.opened is not None:
                yield served.prepared.lease(served.flight, served.flight.opened)

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
