"""What happens to an answer under way when its caller leaves or comes back: kept frames, draining, taking up again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse

from gateway.core import background
from gateway.core.endpoint import Call
from gateway.core.idempotency import ANSWER_BYTES, Answer
from gateway.platform.frames import reader, writer
from gateway.platform.frames.errors import StreamCancelled
from gateway.platform.frames.types import End, Head
from gateway.surfaces import endings, sse
from gateway.surfaces.endings import Dialect
from tenants.rules import Disconnect
from tenants.types import Principal

# A drawn stream runs no further ahead of its reader than this many chunks.
_AHEAD = 32


class Claim(Protocol):
    """An idempotency claim, as far as an answer under way needs it."""

    @property
    def request_id(self) -> UUID: ...
    async def keep(self, answer: Answer) -> None: ...
    async def release(self) -> None: ...
    async def close(self, response: HttpResponse) -> None: ...


def drains(principal: Principal) -> bool:
    """Whether this caller's model calls go on when they hang up: their key's choice, a person's organization's."""
    key = principal.key
    chosen = key.on_disconnect if key is not None else principal.organization.settings.on_disconnect
    return chosen == Disconnect.DRAIN


async def carry_out(
    perform: Callable[[], Awaitable[Any]], *, call: Call, path: str, held: Claim | None = None, drain: bool = False
) -> Any:
    """``perform``'s answer, kept for ``held`` and, when it is a stream, frame by frame for whoever comes back."""
    try:
        response = await perform()
    except BaseException:
        if held is not None:
            await background.finish(held.release())
        raise
    if response.streaming:
        await _keep(response, call, path, held, drain=drain)
    elif held is not None:
        await held.close(response)
    return response


async def to_the_end(work: Coroutine[Any, Any, Any]) -> Any:
    """Await ``work`` so that it, and a stream that it answers with, go on when the caller hangs up."""
    task = background.start(work, name="drain")
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_leave)
        raise


def _leave(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and task.exception() is None and (drawn := getattr(task.result(), "drawn", None)):
        drawn.leave()


async def _keep(response: Any, call: Call, path: str, held: Claim | None, *, drain: bool) -> None:
    about = response.__dict__.pop("about", None)  # an answer that another request made was kept by that one
    dialect = response.__dict__.setdefault("dialect", endings.dialect_of(call, path))  # and is in its dialect
    keeper = None
    if about is not None or held is not None:
        grant = call.principal.grant
        head = Head(f"{grant.kind}:{grant.id}", response["Content-Type"], **(about or {}), dialect=dialect)
        request_id = call.request_id if held is None else held.request_id
        keeper = await writer.begin(call.principal.ref.id, request_id, head)
    if keeper is None and not drain:
        return
    chunks = _kept(response, response._iterator, _Noted(call, path, dialect, keeper, held))
    if drain:
        response.drawn = Drawn(chunks)
        chunks = response.drawn.read()
    response.streaming_content = chunks


@dataclass(frozen=True, slots=True)
class _Noted:
    """Where a stream is noted on its way."""

    call: Call
    path: str
    dialect: Dialect
    keeper: writer.Writer | None
    held: Claim | None


async def _kept(response: Any, chunks: Any, noted: _Noted) -> AsyncGenerator[bytes, None]:
    """The response's chunks, each noted on its way. An end before the end is noted as what it was."""
    call, keeper, held = noted.call, noted.keeper, noted.held
    body, how, last = bytearray(), End.CANCELLED, b""
    try:
        async for chunk in chunks:
            if chunk is not sse.HEARTBEAT:
                last = chunk
                if keeper is not None:
                    keeper.add(chunk)
                if held is not None and len(body) <= ANSWER_BYTES:
                    body += chunk
            yield chunk
        how = End.WHOLE if call.failure is None else End.FAILED
    except Exception:
        how = End.FAILED
        raise
    finally:
        await chunks.aclose()
        if how is End.CANCELLED and keeper is not None:
            error = StreamCancelled("The caller hung up, and this key's streams end with their caller.")
            number = keeper.number + 1
            keeper.add(endings.ending(noted.dialect, error, call, path=noted.path, last=last, number=number))
        await background.finish(_close(response, keeper, held, how, bytes(body)))


async def _close(response: Any, keeper: writer.Writer | None, held: Claim | None, how: End, body: bytes) -> None:
    if held is not None and how is End.WHOLE:
        await held.keep(Answer(response.status_code, tuple(response.items()), body))
    elif held is not None:
        await held.release()
    if keeper is not None:
        await keeper.end(how)


class Drawn:
    """A stream drawn by a task of its own, which goes on to the end when the reader leaves."""

    def __init__(self, chunks: AsyncGenerator[bytes, None]) -> None:
        self._chunks = chunks
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(_AHEAD)
        self._left = False
        self._task = background.start(self._draw(), name="drain-stream")

    async def _draw(self) -> None:
        try:
            async for chunk in self._chunks:
                if not self._left:
                    await self._queue.put(chunk)
        finally:
            await self._chunks.aclose()
            if not self._left:
                await self._queue.put(None)

    async def read(self) -> AsyncGenerator[bytes, None]:
        """The chunks, for the one reader."""
        try:
            while (chunk := await self._queue.get()) is not None:
                yield chunk
            await self._task
        finally:
            self.leave()

    def leave(self) -> None:
        """The reader is gone; nothing waits for it any more."""
        self._left = True
        while not self._queue.empty():
            self._queue.get_nowait()


async def attached(call: Call, request_id: UUID, *, path: str, after: int = 0) -> StreamingHttpResponse:
    """Another request's stream from what is kept of it, for a caller who may have it; trouble is told in that stream's
    dialect. Raises StoreUnavailable."""
    org_id = call.principal.ref.id
    head = await reader.head(org_id, request_id)
    known = head.dialect if head is not None else None
    dialect = Dialect(known) if known is not None else endings.dialect_of(call, path)
    chunks = _followed(reader.follow(org_id, request_id, after=after), call, path, dialect, of=request_id)
    answer = sse.response(sse.with_heartbeats(chunks))
    if head is not None:
        answer["Content-Type"] = head.content_type
    return answer


async def _followed(
    frames: AsyncIterator[bytes], call: Call, path: str, dialect: Dialect, *, of: UUID
) -> AsyncGenerator[bytes, None]:
    last = b""
    try:
        async for frame in frames:
            last = frame
            yield frame
    except Exception as error:  # noqa: BLE001 - a stream that was promised ends with an error event, whatever failed
        yield endings.ending(dialect, error, call, path=path, last=last, of=of)
    finally:
        await frames.aclose()  # type: ignore[attr-defined]
