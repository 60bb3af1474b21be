"""The OpenAI-compatible provider: one call over ``core.egress``, its answer as deltas or as bytes."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from dataclasses import replace

import msgspec

from gateway.core import egress
from gateway.core.crypto import Secret
from gateway.platform.providers import counting, listing, translate
from gateway.platform.providers.errors import ModelNotFound, ProviderFailed
from gateway.platform.providers.openai_wire import embeddings, repair, responses, shapes
from gateway.platform.providers.openai_wire.body import build, splice, with_model
from gateway.platform.providers.openai_wire.calls import CallNumbers
from gateway.platform.providers.openai_wire.direct import DirectCompletions
from gateway.platform.providers.openai_wire.flavours import endpoint, flavour_of
from gateway.platform.providers.openai_wire.passthrough import StreamFilter, read, usage_of
from gateway.platform.providers.sse import EventSplitter, data_of
from gateway.platform.providers.types import (
    Forwarded,
    ListedModel,
    ModelDelta,
    ModelRequest,
    ModelStream,
    Shape,
    Tally,
    TokenUsage,
    first_of,
)
from gateway.platform.providers.wire import Filter, Wire, drained

_DONE = b"[DONE]"
_NO_SUCH_PATH = (404, 405, 501)
# How long a server that has no Responses API is taken at its word.
_ASK_AGAIN_S = 600.0


class OpenAIWire(Wire):
    """Every server that speaks OpenAI's chat completions: OpenAI itself, Azure, vLLM, Ollama, Mistral, Groq, …"""

    kind = "openai"

    def __init__(
        self, *, name: str, base_url: str, api_key: str | Secret, trusted: bool, timeouts: egress.Timeouts | None = None
    ) -> None:
        super().__init__(name=name, api_key=api_key, trusted=trusted, timeouts=timeouts)
        self._url, self._list_url = endpoint(base_url, "/chat/completions"), endpoint(base_url, "/models")
        self._responses_url, self._embeddings_url = endpoint(base_url, "/responses"), endpoint(base_url, "/embeddings")
        self._flavour = flavour_of(base_url)
        self._no_responses_until = 0.0  # on the clock of time.monotonic

    async def open(self, request: ModelRequest) -> ModelStream:
        """See ``Provider.open``."""
        deltas = self._streamed(request) if request.stream else self._buffered(request)
        return ModelStream(await first_of(deltas, within=self._patience(stream=request.stream)), deltas)

    async def forward(self, body: bytes, *, model: str, stream: bool, shape: Shape = Shape.CHAT) -> Forwarded:
        """See ``Provider.forward``. The answer's first frame has been looked at before this returns."""
        match shape:
            case Shape.CHAT:
                return await self._chat(body, model, stream=stream)
            case Shape.RESPONSES:
                return await self._responses(body, model, stream=stream)
            case Shape.EMBEDDINGS:
                return await self._embeddings(body, model)
            case Shape.COUNT_TOKENS:
                return counting.estimate(body, model)
        return await self._translated(body, model, stream=stream, shape=shape)

    async def _translated(self, body: bytes, model: str, *, stream: bool, shape: Shape) -> Forwarded:
        return await translate.forward(
            self.open, body, provider=self.name, model=model, shown=model, stream=stream, shape=shape
        )

    async def _chat(self, body: bytes, model: str, *, stream: bool) -> Forwarded:
        sent, asked = splice(body, model=model, stream=stream, flavour=self._flavour)
        tally = Tally()
        if not stream:
            data, usage = self.taken(await self._whole(self._url, sent, model))
            tally.usage, tally.finished = usage, True
            return Forwarded(data, None, {"content-type": "application/json"}, tally)
        return await self._stream(self._url, sent, model, StreamFilter(self.refusals, show_usage=asked), tally)

    def taken(self, data: bytes) -> tuple[bytes, TokenUsage | None]:
        """A buffered completion as the caller gets it, and its usage. Raises UpstreamError for what is none."""
        answer = read(self.refusals, data)
        return repair.whole(data, answer), answer.usage.tokens() if answer.usage else None

    def direct(self, model: str) -> DirectCompletions:
        """See ``Provider.direct``."""
        return DirectCompletions(self, self._post(self._url, stream=False), model)

    def completion(self, response: egress.Response, model: str, data: bytes) -> tuple[bytes, TokenUsage | None]:
        """What ``taken`` makes of an answer that is a good one. Raises likewise."""
        self._good(response, model, data)
        return self.taken(data)

    def spliced(self, body: bytes, model: str, named: bytes) -> bytes:
        """A buffered completion's body with ``model``, which is ``named`` as JSON, put in. Raises BadRequest."""
        return with_model(body, named) or splice(body, model=model, stream=False, flavour=self._flavour)[0]

    async def _stream(self, url: str, sent: bytes, model: str, filtered: Filter, tally: Tally) -> Forwarded:
        pieces = self._piped(url, sent, model, filtered, tally)
        first = await first_of(pieces, within=self._patience(stream=True))
        return Forwarded(first, pieces, {"content-type": "text/event-stream"}, tally)

    async def _responses(self, body: bytes, model: str, *, stream: bool) -> Forwarded:
        """As it is where the server speaks it, else as a chat. Which of the two, a server that is not OpenAI's own is
        asked by trying: it has done no work when it answers that it knows no such path."""
        if time.monotonic() < self._no_responses_until:
            return await self._translated(body, model, stream=stream, shape=Shape.RESPONSES)
        try:
            return await self._native_responses(body, model, stream=stream)
        except (ModelNotFound, ProviderFailed) as error:
            if self._flavour.modern or error.extra.get("provider_status") not in _NO_SUCH_PATH:
                raise
        answer = await self._translated(body, model, stream=stream, shape=Shape.RESPONSES)
        self._no_responses_until = time.monotonic() + _ASK_AGAIN_S
        return answer

    async def _native_responses(self, body: bytes, model: str, *, stream: bool) -> Forwarded:
        sent, tally = responses.splice(body, model=model, shared=self._shared), Tally()
        if stream:
            filtered = responses.ResponseFilter(self.refusals)
            return await self._stream(self._responses_url, sent, model, filtered, tally)
        data = await self._whole(self._responses_url, sent, model)
        tally.usage, tally.finished = responses.usage_of(self.refusals, data), True
        return Forwarded(data, None, {"content-type": "application/json"}, tally)

    async def _embeddings(self, body: bytes, model: str) -> Forwarded:
        sent, encoding = embeddings.splice(body, model=model)
        data, tally = await self._whole(self._embeddings_url, sent, model), Tally()
        tally.usage, tally.finished = embeddings.usage_of(self.refusals, data), True
        return Forwarded(embeddings.as_asked(data, encoding), None, {"content-type": "application/json"}, tally)

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
