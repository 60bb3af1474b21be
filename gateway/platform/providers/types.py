"""What the engine and a model exchange, whatever wire the model speaks.

``messages`` and ``tools`` have the OpenAI chat shape; a provider with another wire translates. Deltas are what streams;
a buffered answer is one delta. Token counts are the provider's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

import msgspec

from gateway.core.egress import Response, Sender, Sent, UpstreamTimeout

T = TypeVar("T")


class Shape(StrEnum):
    """Which dialect's bytes go through, both ways: a body of this shape is answered in it."""

    CHAT = "chat"
    RESPONSES = "responses"
    MESSAGES = "messages"
    EMBEDDINGS = "embeddings"
    COUNT_TOKENS = "count_tokens"


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """``model`` is the name after ``provider/``. ``params``: temperature, max_tokens, response_format, stop, metadata,
    … as given. Who translates notes in ``ignored`` which of the caller's wishes have no counterpart where they go.
    """

    model: str
    messages: tuple[dict[str, Any], ...]
    tools: tuple[dict[str, Any], ...] = ()
    tool_choice: str | dict[str, Any] | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = False
    ignored: list[str] = field(default_factory=list, compare=False)


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A fragment of a tool call: ``id`` and ``name`` usually come once, ``arguments`` is a piece of a JSON text."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


class TokenUsage(msgspec.Struct, frozen=True):
    """``cached_tokens`` (read from the provider's cache) and ``cache_write_tokens`` (put into it, where that has a
    price of its own) are parts of ``prompt_tokens``.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ModelDelta:
    """``refusal`` says that ``content`` is not the answer but why the model gives none; ``thinking`` is what it thinks
    aloud before it answers."""

    content: str | None = None
    tool_calls: tuple[ToolCallDelta, ...] = ()
    finish_reason: str | None = None
    usage: TokenUsage | None = None
    refusal: bool = False
    thinking: str | None = None

    def says_something(self) -> bool:
        """Whether a caller would notice it. A role alone, or an empty string, says nothing."""
        return bool(self.content or self.thinking or self.tool_calls or self.finish_reason or self.usage)


class Peeked(Generic[T]):
    """An answer whose first piece has arrived. ``async with`` it, so that leaving early lets go of the upstream;
    iterate once.
    """

    def __init__(self, first: T, rest: AsyncGenerator[T, None] | None) -> None:
        self._first: T | None = first
        self._rest = rest  # None: the first piece is the whole

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        first, self._first = self._first, None
        if first is not None:
            return first
        if self._rest is None:
            raise StopAsyncIteration
        return await anext(self._rest)

    async def aclose(self) -> None:
        """Let go of the upstream. Safe to call twice and after the end."""
        self._first = None
        if self._rest is not None:
            await self._rest.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class ModelStream(Peeked[ModelDelta]):
    """The deltas of one answer. Ends in one of two ways: after one with a ``finish_reason``, or by raising an
    UpstreamError.
    """


@dataclass(slots=True)
class Tally:
    """What a passed-through answer turned out to have used; filled while it passes."""

    usage: TokenUsage | None = None
    finished: bool = False


class Forwarded(Peeked[bytes]):
    """A passed-through answer: ``status`` (always 2xx), ``headers`` worth handing on, the body's bytes by iteration.

    ``usage`` is known once the iteration has ended (None when the provider gave none); ``finished`` says whether it
    ended well.
    """

    status = 200

    def __init__(
        self, first: bytes, rest: AsyncGenerator[bytes, None] | None, headers: Mapping[str, str], tally: Tally
    ) -> None:
        super().__init__(first, rest)
        self.headers, self._tally = headers, tally

    @property
    def usage(self) -> TokenUsage | None:
        return self._tally.usage

    @property
    def finished(self) -> bool:
        return self._tally.finished


async def first_of(pieces: AsyncGenerator[T, None], *, within: float | None = None) -> T:
    """Wait for the first piece, so that what fails before it is raised here and not in the middle of an answer.

    Raises UpstreamTimeout when it has not come ``within`` so many seconds: signs of life are not an answer.
    """
    try:
        async with asyncio.timeout(within):
            return await anext(pieces)
    except TimeoutError:
        await pieces.aclose()
        if within is None:
            raise
        raise UpstreamTimeout(f"The model gave no first word for {within:g} s.") from None
    except BaseException:
        await pieces.aclose()
        raise


class Direct(Protocol):
    """Buffered chat completions by one model, with all that they share prepared."""

    async def whole(self, body: bytes) -> tuple[bytes, TokenUsage | None]:
        """The caller's body, answered by the body for the caller and its usage. Raises UpstreamError and its kin."""
        ...

    def warm(self) -> bool:
        """Whether a call can be ``send`` now."""
        ...

    def send(self, body: bytes, sender: Sender) -> Sent | None:
        """Begin ``whole`` for who does not wait in a task; None where that takes more than a connection that is open.
        Raises BadRequest."""
        ...

    def taken(self, response: Response, data: bytes) -> tuple[bytes, TokenUsage | None]:
        """What ``sender`` was told, as ``whole`` gives it. Raises UpstreamError and its kin."""
        ...


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One model as its provider lists it. ``created`` is a Unix time; 0 where the provider does not say."""

    id: str
    name: str
    created: int = 0


class Provider(Protocol):
    """One place that answers for models. Implementations hold no state of a request, so one instance serves them
    all.
    """

    name: str

    async def open(self, request: ModelRequest) -> ModelStream:
        """Ask the model. Returns once the first delta is there; raises an UpstreamError (or NotFound for the model)
        before that.
        """
        ...

    async def forward(self, body: bytes, *, model: str, stream: bool, shape: Shape = Shape.CHAT) -> Forwarded:
        """Pass a body through with ``model`` put in; the answer has the body's shape, whatever the wire. Raises
        BadRequest ``shape_not_served`` where this provider has nothing of the kind."""
        ...

    def direct(self, model: str) -> Direct | None:
        """``forward`` of buffered chat completions to one model, with all that they share prepared; for calls that
        carry on no trace. None where this provider has none."""
        ...

    async def models(self) -> tuple[ListedModel, ...]:
        """What the provider lists. Raises UpstreamError when it does not; a provider without a list has none."""
        ...
