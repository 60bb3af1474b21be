"""Asking the embedder from an event loop: one connection, any number of questions on it, and a deadline for each.

An embedder that is away or frozen costs its first callers their deadline and then nothing: after three failures in a
row nobody asks for a second, and then one caller tries.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.core.embedder.frames import MAX_TEXTS, Frame, FrameError, Reader, check_hello, pack_texts, read_vectors

Vector = tuple[float, ...]
_MAX_OPEN = 64
_FAILURES = 3
_PAUSE_S = 1.0
# One question of 64 long texts takes a few seconds on a busy core.
_BATCH_S = 60.0
_BUSY_TRIES, _BUSY_PAUSE_S = 20, 0.25
# Longer texts are cut there anyway (``ikiro.embedder.model``), and so many of them fit into a frame.
_MAX_CHARACTERS = 4_000


class EmbedderAway(Exception):
    """No answer in time: nobody there, too busy, or too slow."""


class _Busy(EmbedderAway):
    """It is there, and has too much to do."""


@dataclass(slots=True)
class _Question:
    future: asyncio.Future[list[Vector]]
    count: int
    late: Callable[[Vector], None] | None


class _Connection(asyncio.Protocol):
    """One connection; ``open`` are the questions that have no answer yet, also those whose caller went away."""

    transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.greeted: asyncio.Future[None] = loop.create_future()
        self.open: dict[int, _Question] = {}
        self.usable = True
        self._reader = Reader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # a stream's; uvloop's is no subclass of asyncio's

    def data_received(self, data: bytes) -> None:
        try:
            for kind, number, body in self._reader.feed(data):
                if not self.greeted.done():
                    check_hello(kind, body)
                    self.greeted.set_result(None)
                else:
                    self._answered(kind, number, body)
        except FrameError as error:
            self.end(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(exc or ConnectionResetError("The embedder closed the connection."))

    def end(self, error: Exception) -> None:
        """Let go of the connection and of everybody who waits on it."""
        self.usable = False
        self.transport.abort()
        waiting, self.open = self.open, {}
        for question in waiting.values():
            if not question.future.done():
                question.future.set_exception(EmbedderAway(str(error)))
        if not self.greeted.done():
            self.greeted.set_exception(EmbedderAway(str(error)))
            self.greeted.exception()  # whoever opened the connection may have gone away

    def _answered(self, kind: Frame, number: int, body: bytes) -> None:
        question = self.open.pop(number, None)
        if question is None:
            raise FrameError("The embedder answered what nobody asked.")
        if kind is not Frame.VECTORS:
            if not question.future.done():
                why = EmbedderAway(f"The embedder refused: {body[:200].decode('utf-8', 'replace')}")
                question.future.set_exception(_Busy("The embedder is busy.") if kind is Frame.BUSY else why)
            return
        vectors = read_vectors(body, question.count)
        if not question.future.done():
            question.future.set_result(vectors)
        elif question.late is not None:
            question.late(vectors[0])


class Client:
    """The embedder at one socket, as one process asks it. Belongs to the event loop that it was first used on, and
    begins anew on another."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connection: _Connection | None = None
        self._connecting = asyncio.Lock()
        self._number = 0
        self._failures = 0
        self._quiet_until = 0.0

    async def query(self, text: str, *, deadline_s: float, late: Callable[[Vector], None]) -> Vector:
        """The text's vector. ``late`` gets one that comes after the deadline. Raises EmbedderAway, at once while the
        embedder is known to be away."""
        now = time.monotonic()
        if self._failures >= _FAILURES:
            if now < self._quiet_until:
                raise EmbedderAway("The embedder did not answer a moment ago.")
            self._quiet_until = now + _PAUSE_S  # this caller tries, the others go on without
        try:
            async with asyncio.timeout(deadline_s):
                (vector,) = await self._ask(Frame.QUERY, [text], late)
        except (TimeoutError, OSError, FrameError, EmbedderAway) as error:
            self._failures += 1
            self._quiet_until = time.monotonic() + _PAUSE_S
            raise EmbedderAway(str(error) or f"No answer within {deadline_s * 1000:.0f} ms.") from None
        self._failures = 0
        return vector

    async def batch(self, texts: Sequence[str]) -> list[Vector]:
        """A vector for each text, in their order; computed while nobody asks for a query. Raises EmbedderAway."""
        made: list[Vector] = []
        for first in range(0, len(texts), MAX_TEXTS):
            some = [text[:_MAX_CHARACTERS] for text in texts[first : first + MAX_TEXTS]]
            try:
                async with asyncio.timeout(_BATCH_S):
                    made += await self._patiently(some)
            except (TimeoutError, OSError, FrameError) as error:
                raise EmbedderAway(f"The embedder does not answer: {error}") from None
        return made

    async def _patiently(self, texts: Sequence[str]) -> list[Vector]:
        for _ in range(_BUSY_TRIES):
            try:
                return await self._ask(Frame.BATCH, texts, None)
            except _Busy:
                await asyncio.sleep(_BUSY_PAUSE_S)
        raise EmbedderAway("The embedder has been busy for too long.")

    async def _ask(self, kind: Frame, texts: Sequence[str], late: Callable[[Vector], None] | None) -> list[Vector]:
        connection = await self._connected()
        if len(connection.open) >= _MAX_OPEN:
            raise EmbedderAway("Too many questions have no answer yet.")
        self._number = (self._number + 1) & 0xFFFFFFFF
        frame = pack_texts(kind, self._number, texts)
        question = _Question(asyncio.get_running_loop().create_future(), len(texts), late)
        connection.open[self._number] = question
        connection.transport.write(frame)
        return await question.future

    async def _connected(self) -> _Connection:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._connection, self._connecting = loop, None, asyncio.Lock()
        async with self._connecting:
            if self._connection is not None and self._connection.usable:
                return self._connection
            self._connection = None
            _, made = await loop.create_unix_connection(lambda: _Connection(loop), self._path)
            try:
                await made.greeted
            except BaseException:
                made.end(EmbedderAway("Nobody waits for it any more."))
                raise
            self._connection = made
            return made

    async def close(self) -> None:
        """Let go of the connection; the next question opens another."""
        connection, self._connection = self._connection, None
        if connection is not None and self._loop is asyncio.get_running_loop():
            connection.end(EmbedderAway("The process ends."))
