"""The Anthropic provider: one call over ``core.egress``, its answer as deltas or as OpenAI-shaped bytes."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator

import msgspec

from gateway.core import egress
from gateway.core.crypto import Secret
from gateway.platform.providers import listing, openai_shape
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

    async def open(self, request: ModelRequest) -> ModelStream:
        """See ``Provider.open``."""
        deltas = self._streamed(request) if request.stream else self._buffered(request)
        return ModelStream(await first_of(deltas, within=self._patience(stream=request.stream)), deltas)

    async def forward(self, body: bytes, *, model: str, stream: bool, shape: Shape = Shape.CHAT) -> Forwarded:
        """See ``Provider.forward``. The body is translated, and the answer back."""
        request, asked = openai_shape.request_of(body, model=model, stream=stream)
        tally = Tally()
        pieces = openai_shape.as_bytes(
            await self.open(request),
            tally,
            whole=not stream,
            answer_id=secrets.token_hex(12),
            model=model,
            show_usage=asked,
        )
        kind = "text/event-stream" if stream else "application/json"
        return Forwarded(await first_of(pieces), pieces, {"content-type": kind}, tally)

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
