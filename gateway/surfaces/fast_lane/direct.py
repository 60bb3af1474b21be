"""The shortest way of a plain request: from the packet that it came in to the packet of its answer, without a task.

Only what is warm comes this way: a head and a caller that are known, a buffered answer, an open connection to the
provider. Each step begins when the one before it is told of. Whatever turns out differently is handed to the server,
which reads the request as any other and gives it to the lane: before the admission as if it had never been here, after
it as the call that it is by then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Protocol

import structlog

from gateway.core import background
from gateway.core.egress import NotSeen, Response, Sent
from gateway.core.endpoint import Call
from gateway.core.valkey import StoreUnavailable
from gateway.engine.chat.flights import Begun, Flight
from gateway.engine.chat.prepared import Prepared
from gateway.platform.providers.entries import Failed
from gateway.platform.telemetry.metrics import Operation
from gateway.surfaces.asgi import BEGUN
from gateway.surfaces.fast_lane import answering

# Where the lane finds, in the scope, the body of a request that comes back from here.
BODY = "ikiro.body"
log = structlog.get_logger(__name__)


class Client(Protocol):
    """The connection that a request came by. Is told one of these, once."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...

    def answer(self, head: bytes, body: bytes) -> None:
        """Send a 200 with these header lines."""
        ...

    def hand_over(self, known: Mapping[str, Any]) -> None:
        """Serve it the usual way, with this in its scope."""
        ...

    def fail(self) -> None:
        """Say that something went wrong here, and hang up."""
        ...


class DirectCall:
    """A request under way. The server may ``cancel`` it, like a task."""

    __slots__ = ("_body", "_client", "_counters", "_over", "_sent", "_under_way", "flight", "prepared")

    def __init__(
        self, prepared: Prepared, flight: Flight, body: bytes, *, client: Client, counters: Operation,
        under_way: dict[int, DirectCall],
    ) -> None:  # fmt: skip
        self.prepared, self.flight = prepared, flight
        self._body, self._client, self._counters, self._under_way = body, client, counters, under_way
        self._sent: Sent | None = None
        self._over = False

    def begin(self) -> None:
        """Ask for the admission."""
        self._under_way[self.flight.number] = self
        try:
            self.prepared.let_in(self.flight, self)
        except StoreUnavailable:
            self._hand_over(None)

    def cancel(self, msg: object = None) -> bool:
        """The server has no patience left."""
        if self._over:
            return False
        self.gone()
        self._client.loop.call_soon(self._client.fail)  # not now: the server goes through what it cancels
        return True

    def gone(self) -> None:
        """Nobody waits for the answer any more: what was begun for it is ended, and settled."""
        sent = self._sent
        self._end()
        if self.flight.opened is None:
            self.prepared.give_back(self.flight)
        elif self.flight.held:
            if sent is not None:
                sent.drop()
            _ = background.start(self.prepared.ended(self.flight, "client_closed").settle(), name="settle-cut-off")

    def came(self, reply: Any) -> None:
        """See ``Asker``."""
        if self._over:
            return
        try:
            if self.prepared.admitted(self.flight, reply):
                self._send()
            else:
                self._hand_over(None)
        except Exception as error:  # noqa: BLE001
            self._crashed(error)

    def lost(self, error: BaseException) -> None:
        """See ``Asker``."""
        if self._over:
            return
        if isinstance(error, StoreUnavailable) and error.maybe_applied:
            self.prepared.give_back(self.flight)
        self._hand_over(None)

    def _send(self) -> None:
        try:
            self._sent = self.prepared.send(self._body, self)
        except Exception as error:  # noqa: BLE001 - whatever failed is answered, and tried again, in the usual lane
            self._go_on(Failed(error, self.flight.admitted))
        else:
            if self._sent is None:
                self._go_on(None)

    def failed(self, error: Exception) -> None:
        """See ``Sender``."""
        try:
            self._go_on(None if isinstance(error, NotSeen) else Failed(error, self.flight.admitted))
        except Exception as crash:  # noqa: BLE001
            self._crashed(crash)

    def answered(self, response: Response, body: bytes) -> None:
        """See ``Sender``."""
        try:
            try:
                self._body, usage = self.prepared.taken(self.flight, response, body)
            except Exception as error:  # noqa: BLE001 - as above
                self._go_on(Failed(error, self.flight.admitted))
                return
            if usage is None:
                _ = background.start(self._settle(), name="settle-uncounted")
            else:
                self.prepared.post(self.flight, usage, self._answer)
        except Exception as error:  # noqa: BLE001
            self._crashed(error)

    async def _settle(self) -> None:
        await self.prepared.settle(self.flight, len(self._body), None)
        self._answer()

    def _answer(self) -> None:
        if self._over:
            return
        self._end()
        try:
            self._counters.done(200, time.monotonic() - self.flight.began)
            self._client.answer(answering.lines(self.flight, len(self._body)), self._body)
        except Exception as error:  # noqa: BLE001
            self._crashed(error)

    def _go_on(self, failed: Failed | None) -> None:
        meter = self.prepared.meter(self.flight)
        meter.call.begun = Begun(meter, failed)
        self._hand_over(meter.call)

    def _hand_over(self, begun: Call | None) -> None:
        self._end()
        # With its body, so that what was admitted is settled even if the client hangs up before it is read again.
        self._client.hand_over({BEGUN: begun, BODY: self._body})

    def _crashed(self, error: Exception) -> None:
        """What must not happen has, and nobody above would answer for it."""
        log.error("fast_lane.crashed", exc_info=error)
        self._end()
        self._client.fail()

    def _end(self) -> None:
        self._over = True
        self._sent = None  # which knows this object as this knows it
        self._under_way.pop(self.flight.number, None)
