"""What the wire clients share: the guarded call, its timeouts, and the check of the answer's status."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Protocol

from django.conf import settings

from gateway.core import egress, serving
from gateway.core.crypto import Secret
from gateway.core.errors import UpstreamError
from gateway.platform.providers.refusals import Refusals
from gateway.platform.providers.sse import EventSplitter, EventTooLarge
from gateway.platform.providers.types import Direct, Tally, TokenUsage

ERROR_BODY = 64 * 1024
_MAX_ANSWER = 32 * 1024 * 1024
_DRAIN_S = 0.05


def timeouts_of(changes: Mapping[str, float] | None = None) -> egress.Timeouts:
    """The operator's ``IKIRO_UPSTREAM_*`` times, with those of one credential in place of some."""
    own = changes or {}
    return egress.Timeouts(
        connect=settings.IKIRO_UPSTREAM_CONNECT_S,
        first_byte=own.get("first_token_s", settings.IKIRO_UPSTREAM_FIRST_TOKEN_S),
        stall=own.get("stall_s", settings.IKIRO_UPSTREAM_STALL_S),
        total=own.get("total_s", settings.IKIRO_UPSTREAM_TOTAL_S),
    )


class Filter(Protocol):
    """What a stream goes through: see ``filters.EventFilter``."""

    spoke: bool
    done: bool
    failure: UpstreamError | None

    @property
    def usage(self) -> TokenUsage | None: ...

    def feed(self, data: bytes) -> bytes: ...

    def end(self) -> bytes: ...


class Wire(ABC):
    """One provider's address and credential. ``trusted`` marks the operator's own address; an organization's goes
    through the egress guard. Holds no state of a request.
    """

    def __init__(
        self, *, name: str, api_key: str | Secret, trusted: bool, timeouts: egress.Timeouts | None = None
    ) -> None:
        self.name = name
        self.key = api_key if isinstance(api_key, Secret) else Secret(api_key)
        self.refusals = Refusals(name, self.key)
        self._trusted = trusted
        # The operator's credential is one for all organizations; see ``hosted``.
        self._shared = trusted
        self._timeouts = timeouts or timeouts_of()
        # The first token of a buffered answer comes with the last one.
        self._unhurried = replace(self._timeouts, first_byte=self._timeouts.total)

    def direct(self, model: str) -> Direct | None:
        """See ``Provider.direct``."""
        return None

    @abstractmethod
    def _authorization(self) -> dict[str, str]:
        """The headers that carry the credential: all that a provider is told beside the body."""

    def _patience(self, *, stream: bool) -> float:
        """How long the first delta may take. The connection's own timer is a moment behind, for silence of another
        kind.
        """
        return self._timeouts.first_byte + 0.05 if stream else self._timeouts.total + 0.05

    def _call(self, url: str, body: bytes, *, stream: bool, headers: Mapping[str, str] | None = None) -> egress.open:
        accept = "text/event-stream" if stream else "application/json"
        own = {"content-type": "application/json", "accept": accept, **serving.headers()}
        headers = {**own, **self._authorization(), **(headers or {})}
        timeouts = self._timeouts if stream else self._unhurried
        return egress.open("POST", url, headers, body, trusted=self._trusted, timeouts=timeouts, max_body=_MAX_ANSWER)

    def _post(self, url: str, *, stream: bool) -> egress.Post:
        """Calls of one kind that carry on no trace, prepared."""
        accept = "text/event-stream" if stream else "application/json"
        headers = {"content-type": "application/json", "accept": accept, **self._authorization()}
        timeouts = self._timeouts if stream else self._unhurried
        return egress.Post(url, headers, trusted=self._trusted, timeouts=timeouts, max_body=_MAX_ANSWER)

    async def _checked(self, response: egress.Response, model: str) -> None:
        if not 200 <= response.status < 300:
            self._good(response, model, await response.read(ERROR_BODY))

    def _good(self, response: egress.Response, model: str, body: bytes) -> None:
        """Raise what an answer with this body means unless it is a good one."""
        if not 200 <= response.status < 300:
            raise self.refusals.answered(model, response.status, response.headers, body)

    def _patient(self, response: egress.Response) -> None:
        """Until its first word a streaming model may be silent for as long as that word may take: another timer."""
        response.stall = self._timeouts.total

    def _spoken(self, response: egress.Response) -> None:
        response.stall = self._timeouts.stall

    async def _whole(self, url: str, body: bytes, model: str, *, headers: Mapping[str, str] | None = None) -> bytes:
        """The complete answer to a body. Raises UpstreamError and its kin."""
        async with self._call(url, body, stream=False, headers=headers) as response:
            await self._checked(response, model)
            return await response.read()

    async def _piped(
        self, url: str, body: bytes, model: str, filtered: Filter, tally: Tally, *,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[bytes, None]:  # fmt: skip
        """The answer to a body as it streams, through ``filtered``; nothing until the model has said something."""
        held = b""
        async with self._call(url, body, stream=True, headers=headers) as response:
            await self._checked(response, model)
            self._patient(response)
            while not filtered.done and (chunk := await response.next_chunk()) is not None:
                held += filtered.feed(chunk)
                tally.usage, tally.finished = filtered.usage, filtered.done
                if held and filtered.spoke:
                    self._spoken(response)
                    yield held
                    held = b""
                if filtered.failure is not None:
                    raise filtered.failure
            if filtered.done:
                await drained(response)
        last = held + filtered.end()
        tally.usage, tally.finished = filtered.usage, True
        if last:
            yield last

    def _events(self, splitter: EventSplitter, chunk: bytes) -> list[bytes]:
        try:
            return splitter.feed(chunk)
        except EventTooLarge:
            raise self.refusals.no_answer() from None


async def drained(response: egress.Response) -> None:
    """Take what follows the last event, normally the end of the body, so that the connection can be kept. The answer
    is complete already: an upstream that dawdles or stumbles here loses its connection and nothing else.
    """
    with contextlib.suppress(TimeoutError, UpstreamError):
        async with asyncio.timeout(_DRAIN_S):
            await response.read(4096)
