"""The OpenAI-compatible provider: one call over ``core.egress``, its answer as deltas or as bytes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

import msgspec

from gateway.core import egress
from gateway.core.crypto import Secret
from gateway.platform.providers import listing
from gateway.platform.providers.openai_wire import repair, shapes
from gateway.platform.providers.openai_wire.body import build, splice
from gateway.platform.providers.openai_wire.calls import CallNumbers
from gateway.platform.providers.openai_wire.flavours import endpoint, flavour_of
from gateway.platform.providers.openai_wire.passthrough import StreamFilter, usage_of
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

_DONE = b"[DONE]"


class OpenAIWire(Wire):
    """Every server that speaks OpenAI's chat completions: OpenAI itself, Azure, vLLM, Ollama, Mistral, Groq, …"""

    kind = "openai"

    def __init__(
        self, *, name: str, base_url: str, api_key: str | Secret, trusted: bool, timeouts: egress.Timeouts | None = None
    ) -> None:
        super().__init__(name=name, api_key=api_key, trusted=trusted, timeouts=timeouts)
        self._url, self._list_url = endpoint(base_url, "/chat/completions"), endpoint(base_url, "/models")
        self._flavour = flavour_of(base_url)

    async def open(self, request: ModelRequest) -> ModelStream:
        """See ``Provider.open``."""
        deltas = self._streamed(request) if request.stream else self._buffered(request)
        return ModelStream(await first_of(deltas, within=self._patience(stream=request.stream)), deltas)

    async def forward(self, body: bytes, *, model: str, stream: bool, shape: Shape = Shape.CHAT) -> Forwarded:
        """See ``Provider.forward``. The answer's first frame has been looked at before this returns."""
        sent, asked = splice(body, model=model, stream=stream, flavour=self._flavour)
        tally = Tally()
        if not stream:
            return Forwarded(await self._whole(sent, model, tally), None, {"content-type": "application/json"}, tally)
        pieces = self._piped(sent, model, tally, asked)
        first = await first_of(pieces, within=self._patience(stream=True))
        return Forwarded(first, pieces, {"content-type": "text/event-stream"}, tally)

    async def models(self) -> tuple[ListedModel, ...]:
        """See ``Provider.models``."""
        return await listing.fetch(self._list_url, self._authorization(), self._trusted, self.refusals)

    def _authorization(self) -> dict[str, str]:
        # Only what the provider needs: nothing of the caller's headers, key or persona ever gets here.
        key = self.key.reveal()
        if not key:
            return {}
        return {"api-key": key} if self._flavour.api_key_header else {"authorization": f"Bearer {key}"}

    async def _buffered(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        async with self._call(self._url, build(request, self._flavour), stream=False) as response:
            await self._checked(response, request.model)
            body = await response.read()
        yield self._completion(body)

    def _completion(self, body: bytes) -> ModelDelta:
        usage_of(self.refusals, body)
        delta = shapes.decode(body).delta(CallNumbers())
        return delta if delta.finish_reason else replace(delta, finish_reason="stop")

    async def _streamed(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        splitter, numbers = EventSplitter(), CallNumbers()
        spoke = finished = False
        async with self._call(self._url, build(request, self._flavour), stream=True) as response:
            await self._checked(response, request.model)
            self._patient(response)
            while (chunk := await response.next_chunk()) is not None:
                for event in self._events(splitter, chunk):
                    data = data_of(event)
                    if data is None:
                        continue
                    if data.strip() == _DONE:
                        if not finished:
                            raise self.refusals.broke_off()
                        await drained(response)
                        return
                    delta = self._delta(data, numbers)
                    finished = finished or delta.finish_reason is not None
                    if delta.says_something():
                        spoke = True
                        self._spoken(response)
                        yield delta
            last = self._last(splitter.rest(), numbers, spoke=spoke)
        if last is not None and last.says_something():
            yield last
        if not finished and (last is None or last.finish_reason is None):
            raise self.refusals.broke_off()

    def _last(self, rest: bytes, numbers: CallNumbers, *, spoke: bool) -> ModelDelta | None:
        """What stands after the last blank line: an event without its own, or a whole completion where a stream was
        asked for.
        """
        if not spoke and rest.lstrip().startswith(b"{"):
            return self._completion(rest)
        data = data_of(rest)
        return None if data is None or data.strip() == _DONE else self._delta(data, numbers)

    def _delta(self, data: bytes, numbers: CallNumbers) -> ModelDelta:
        try:
            answer = shapes.decode(data)
        except msgspec.DecodeError:
            raise self.refusals.no_answer() from None
        if answer.error is not None:
            raise self.refusals.inside(answer.error)
        if answer.gave_up is not None:
            raise self.refusals.gave_up(answer.gave_up)
        if answer.choices is None and answer.usage is None:
            raise self.refusals.no_answer()
        return answer.delta(numbers)

    async def _whole(self, body: bytes, model: str, tally: Tally) -> bytes:
        async with self._call(self._url, body, stream=False) as response:
            await self._checked(response, model)
            data = await response.read()
        tally.usage = usage_of(self.refusals, data)
        tally.finished = True
        return repair.whole(data)

    async def _piped(self, body: bytes, model: str, tally: Tally, asked: bool) -> AsyncGenerator[bytes, None]:
        filtered, held = StreamFilter(self.refusals, show_usage=asked), b""
        async with self._call(self._url, body, stream=True) as response:
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
