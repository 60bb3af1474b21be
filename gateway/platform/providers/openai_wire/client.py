"""The OpenAI-compatible provider: one call over ``core.egress``, its answer as deltas or as bytes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import replace

import msgspec

from gateway.core import egress
from gateway.core.errors import UpstreamError
from gateway.platform.providers.openai_wire import refusals, shapes
from gateway.platform.providers.openai_wire.body import build, splice
from gateway.platform.providers.openai_wire.passthrough import StreamFilter, usage_of
from gateway.platform.providers.openai_wire.sse import EventSplitter, EventTooLarge, data_of
from gateway.platform.providers.types import Forwarded, ModelDelta, ModelRequest, ModelStream, Tally, first_of

_ERROR_BODY = 64 * 1024
_MAX_ANSWER = 32 * 1024 * 1024
_DONE = b"[DONE]"
_DRAIN_S = 0.05


class OpenAIWire:
    """``trusted`` marks the operator's own address; an organization's provider goes through the egress guard."""

    def __init__(
        self, *, name: str, base_url: str, api_key: str, trusted: bool, timeouts: egress.Timeouts | None = None
    ) -> None:
        self.name = name
        self._url = base_url.rstrip("/") + "/chat/completions"
        # Only what the provider needs: nothing of the caller's headers, key or persona ever gets here.
        self._headers = {"content-type": "application/json"} | (
            {"authorization": f"Bearer {api_key}"} if api_key else {}
        )
        self._trusted = trusted
        self._timeouts = timeouts or egress.Timeouts()

    async def open(self, request: ModelRequest) -> ModelStream:
        """See ``Provider.open``."""
        deltas = self._streamed(request) if request.stream else self._buffered(request)
        return ModelStream(await first_of(deltas), deltas)

    async def forward(
        self, body: bytes, *, model: str, stream: bool, content_type: str = "application/json"
    ) -> Forwarded:
        """See ``Provider.forward``. The answer's first frame has been looked at before this returns."""
        sent, asked = splice(body, model=model, stream=stream)
        tally = Tally()
        if not stream:
            return Forwarded(await self._whole(sent, model, tally), None, {"content-type": "application/json"}, tally)
        pieces = self._piped(sent, model, tally, asked)
        return Forwarded(await first_of(pieces), pieces, {"content-type": "text/event-stream"}, tally)

    def _call(self, body: bytes, *, stream: bool) -> egress.open:
        headers = self._headers | {"accept": "text/event-stream" if stream else "application/json"}
        return egress.open(
            "POST", self._url, headers, body, trusted=self._trusted, timeouts=self._timeouts, max_body=_MAX_ANSWER
        )

    async def _checked(self, response: egress.Response, model: str) -> None:
        if not 200 <= response.status < 300:
            body = await response.read(_ERROR_BODY)
            raise refusals.refusal(self.name, model, response.status, response.headers, body)

    async def _buffered(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        async with self._call(build(request), stream=False) as response:
            await self._checked(response, request.model)
            body = await response.read()
        usage_of(self.name, body)
        delta = shapes.decode(body).delta()
        yield delta if delta.finish_reason else replace(delta, finish_reason="stop")

    async def _streamed(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        splitter, finished = EventSplitter(), False
        async with self._call(build(request), stream=True) as response:
            await self._checked(response, request.model)
            while True:
                chunk = await response.next_chunk()
                for event in self._events(splitter, chunk):
                    data = data_of(event)
                    if data is None:
                        continue
                    if data.strip() == _DONE:
                        if not finished:
                            raise refusals.broke_off(self.name)
                        await _drained(response)
                        return
                    delta = self._delta(data)
                    finished = finished or delta.finish_reason is not None
                    if delta.says_something():
                        yield delta
                if chunk is None:
                    break
        if not finished:
            raise refusals.broke_off(self.name)

    def _events(self, splitter: EventSplitter, chunk: bytes | None) -> list[bytes]:
        if chunk is None:
            rest = splitter.rest()
            return [rest] if rest.strip() else []
        try:
            return splitter.feed(chunk)
        except EventTooLarge:
            raise refusals.not_json(self.name) from None

    def _delta(self, data: bytes) -> ModelDelta:
        try:
            answer = shapes.decode(data)
        except msgspec.DecodeError:
            raise refusals.not_json(self.name) from None
        if answer.error is not None:
            raise refusals.stream_error(self.name, answer.error)
        if answer.choices is None and answer.usage is None:
            raise refusals.not_json(self.name)
        return answer.delta()

    async def _whole(self, body: bytes, model: str, tally: Tally) -> bytes:
        async with self._call(body, stream=False) as response:
            await self._checked(response, model)
            data = await response.read()
        tally.usage = usage_of(self.name, data)
        tally.finished = True
        return data

    async def _piped(self, body: bytes, model: str, tally: Tally, asked: bool) -> AsyncGenerator[bytes, None]:
        filtered, held = StreamFilter(self.name, show_usage=asked), b""
        async with self._call(body, stream=True) as response:
            await self._checked(response, model)
            while not filtered.done and (chunk := await response.next_chunk()) is not None:
                held += filtered.feed(chunk)
                tally.usage, tally.finished = filtered.usage, filtered.done
                if held and filtered.spoke:
                    yield held
                    held = b""
                if filtered.failure is not None:
                    raise filtered.failure
            if filtered.done:
                await _drained(response)
        last = held + filtered.end()
        tally.usage, tally.finished = filtered.usage, True
        if last:
            yield last


async def _drained(response: egress.Response) -> None:
    """Take what follows [DONE], normally the end of the body, so that the connection can be kept. The answer is
    complete already: an upstream that dawdles or stumbles here loses its connection and nothing else.
    """
    with contextlib.suppress(TimeoutError, UpstreamError):
        async with asyncio.timeout(_DRAIN_S):
            await response.read(4096)
