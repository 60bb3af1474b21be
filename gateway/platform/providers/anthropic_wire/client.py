"""The Anthropic provider: one call over ``core.egress``, its answer as deltas or as bytes."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import msgspec

from gateway.core import egress
from gateway.core.crypto import Secret
from gateway.platform.providers import listing, translate
from gateway.platform.providers.anthropic_wire import native
from gateway.platform.providers.anthropic_wire.answer import Reading, message_of
from gateway.platform.providers.anthropic_wire.body import build
from gateway.platform.providers.sse import EventSplitter, data_of
from gateway.platform.providers.types import (
    Forwarded,
    ListedModel,
    ModelDelta,
    ModelRequest,
    ModelStream,
    Shape,
    Tally,
    first_of,
)
from gateway.platform.providers.wire import Wire, drained

_VERSION = "2023-06-01"


class AnthropicWire(Wire):
    """Anthropic's Messages API, and whoever else serves it."""

    kind = "anthropic"

    def __init__(
        self, *, name: str, base_url: str, api_key: str | Secret, trusted: bool, timeouts: egress.Timeouts | None = None
    ) -> None:
        super().__init__(name=name, api_key=api_key, trusted=trusted, timeouts=timeouts)
        base, mark, query = base_url.partition("?")
        root = base.rstrip("/").removesuffix("/messages").removesuffix("/v1")
        self._url, self._list_url = f"{root}/v1/messages{mark}{query}", f"{root}/v1/models?limit=1000"
        self._count_url = f"{root}/v1/messages/count_tokens{mark}{query}"

    async def open(self, request: ModelRequest) -> ModelStream:
        """See ``Provider.open``."""
        deltas = self._streamed(request) if request.stream else self._buffered(request)
        return ModelStream(await first_of(deltas, within=self._patience(stream=request.stream)), deltas)

    async def forward(self, body: bytes, *, model: str, stream: bool, shape: Shape = Shape.CHAT) -> Forwarded:
        """See ``Provider.forward``. Anthropic's own shapes go through, the others are translated both ways."""
        if shape is Shape.MESSAGES:
            return await self._messages(body, model, stream=stream)
        if shape is Shape.COUNT_TOKENS:
            sent, headers = native.splice(body, model=model, shared=self._shared)
            data = await self._whole(self._count_url, sent, model, headers=headers)
            counted = native.counted(self.refusals, data)
            return Forwarded(counted, None, {"content-type": "application/json"}, Tally(finished=True))
        return await translate.forward(
            self.open, body, provider=self.name, model=model, shown=model, stream=stream, shape=shape
        )

    async def _messages(self, body: bytes, model: str, *, stream: bool) -> Forwarded:
        sent, headers = native.splice(body, model=model, shared=self._shared)
        tally = Tally()
        if not stream:
            data = await self._whole(self._url, sent, model, headers=headers)
            tally.usage, tally.finished = native.usage_of(self.refusals, data), True
            return Forwarded(data, None, {"content-type": "application/json"}, tally)
        pieces = self._piped(self._url, sent, model, native.MessageFilter(self.refusals), tally, headers=headers)
        first = await first_of(pieces, within=self._patience(stream=True))
        return Forwarded(first, pieces, {"content-type": "text/event-stream"}, tally)

    async def models(self) -> tuple[ListedModel, ...]:
        """See ``Provider.models``."""
        return await listing.fetch(self._list_url, self._authorization(), self._trusted, self.refusals)

    def _authorization(self) -> dict[str, str]:
        key = self.key.reveal()
        return {"anthropic-version": _VERSION} | ({"x-api-key": key} if key else {})

    async def _buffered(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        async with self._call(self._url, build(request), stream=False) as response:
            await self._checked(response, request.model)
            body = await response.read()
        yield message_of(self.refusals, body)

    async def _streamed(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        splitter, reading = EventSplitter(), Reading(self.refusals)
        async with self._call(self._url, build(request), stream=True) as response:
            await self._checked(response, request.model)
            self._patient(response)
            while (chunk := await response.next_chunk()) is not None:
                for event in self._events(splitter, chunk):
                    for delta in self._deltas(reading, event):
                        self._spoken(response)
                        yield delta
                if reading.done:
                    await drained(response)
                    return
            rest = splitter.rest()
        if not reading.spoke and rest.lstrip().startswith(b"{"):  # one whole message where a stream was asked for
            yield message_of(self.refusals, rest)
            return
        for delta in self._deltas(reading, rest):
            yield delta
        if not reading.finished:
            raise self.refusals.broke_off()

    def _deltas(self, reading: Reading, event: bytes) -> tuple[ModelDelta, ...]:
        data = data_of(event)
        if data is None:
            return ()
        try:
            return reading.feed(data)
        except msgspec.DecodeError:
            raise self.refusals.no_answer() from None
