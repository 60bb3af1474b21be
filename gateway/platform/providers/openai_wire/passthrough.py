"""The pass-through of a stream: the provider's bytes go on as they are, except where OpenAI's clients would stumble.

A usage chunk goes only to who asked for it, and then there is exactly one; tool-call fragments without index, finish
reasons in other words and a missing ``[DONE]`` are put right. Frames are looked into only when their bytes contain a
word that could matter, so an ordinary content chunk costs a search and no parsing.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from gateway.core.egress import UpstreamBroken
from gateway.core.errors import UpstreamError
from gateway.platform.providers.openai_shape import DONE, frame, usage_shape
from gateway.platform.providers.openai_wire import repair, shapes
from gateway.platform.providers.openai_wire.calls import CallNumbers
from gateway.platform.providers.refusals import Refusals
from gateway.platform.providers.sse import EventSplitter, EventTooLarge, data_of
from gateway.platform.providers.types import TokenUsage

_LOOK_AT = (b'"usage"', b'"error"', b'"tool_calls"', b"event: error", b"event:error", b"[DONE]")
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"([^"]+)"')
_STANDARD = frozenset(reason.encode() for reason in shapes.FINISHED)


class StreamFilter:
    """Feed it what arrives, send on what it returns, then raise its ``failure`` if there is one; ``end`` when it is
    over.
    """

    def __init__(self, refusals: Refusals, *, show_usage: bool) -> None:
        self.usage: TokenUsage | None = None
        self.spoke = False
        self.failure: UpstreamError | None = None
        self._refusals, self._show_usage = refusals, show_usage
        self._splitter = EventSplitter()
        self._numbers: dict[int, CallNumbers] = {}
        self._head: dict[str, Any] = {}
        self._finished = self._usage_shown = self.done = False

    def feed(self, data: bytes) -> bytes:
        """The complete frames to send on. A frame that is an error, or no completion's, ends them and becomes
        ``failure``.
        """
        passed: list[bytes] = []
        try:
            for event in self._splitter.feed(data):
                passed += [self._passed(event)]
        except EventTooLarge:
            self.failure = self._refusals.no_answer()
        except UpstreamError as error:
            self.failure = error
        return b"".join(passed)

    def _passed(self, event: bytes) -> bytes:
        if self.done:
            return b""  # nothing counts after [DONE]
        if self.spoke and b'"choices"' in event and not any(word in event for word in _LOOK_AT):
            finished = _FINISHED.search(event)
            if finished is None or finished[1] in _STANDARD:
                self._finished = self._finished or finished is not None
                return event
        data = data_of(event)
        if data is None:
            return event
        if data.strip() == b"[DONE]":
            self.done = True
            return self._usage_frame() + event
        return self._looked_into(event, data)

    def _looked_into(self, event: bytes, data: bytes) -> bytes:
        try:
            answer = shapes.decode(data)
        except msgspec.DecodeError:
            raise self._refusals.no_answer() from None
        if answer.error is not None:
            raise self._refusals.inside(answer.error)
        if answer.gave_up is not None:
            raise self._refusals.gave_up(answer.gave_up)
        if answer.choices is None and answer.usage is None:
            raise self._refusals.no_answer()
        self._head = {"id": answer.id, "created": answer.created, "model": answer.model}
        if answer.usage is not None:
            self.usage = answer.usage.tokens()
        if not answer.choices:
            self._usage_shown = self._usage_shown or self._show_usage
            self.spoke = True
            return event if self._show_usage else b""
        self.spoke = self.spoke or self.usage is not None or any(_speaks(choice) for choice in answer.choices)
        self._finished = self._finished or any(choice.finish_reason for choice in answer.choices)
        mended = repair.chunk(data, answer, self._numbers)
        return event if mended is None else frame(mended)

    def end(self) -> bytes:
        """What is still to be sent. Raises UpstreamError when the stream failed or broke off."""
        rest = self._splitter.rest()
        if not self.spoke and self.failure is None and rest.lstrip().startswith(b"{"):
            return self._unstreamed(rest)
        last = self.feed(rest + b"\n\n") if rest.strip() else b""
        if self.failure is not None:
            raise self.failure
        if self.done:
            return last
        if not self._finished:
            raise self._refusals.broke_off()
        return last + self._usage_frame() + DONE

    def _usage_frame(self) -> bytes:
        """The usage chunk that was asked for and did not come by itself, because the provider told it elsewhere."""
        if not self._show_usage or self._usage_shown or self.usage is None:
            return b""
        self._usage_shown = True
        shown = {**self._head, "object": "chat.completion.chunk", "choices": [], "usage": usage_shape(self.usage)}
        return frame(shown)

    def _unstreamed(self, body: bytes) -> bytes:
        """A server that was asked for a stream and sent one whole completion."""
        self.usage = usage_of(self._refusals, body)
        self._head, chunks = repair.as_chunks(body)
        self.done = True
        return b"".join(frame(chunk) for chunk in chunks) + self._usage_frame() + DONE


def _speaks(choice: shapes.Choice) -> bool:
    part = choice.part()
    return bool(choice.finish_reason or (part is not None and (part.text() or part.tool_calls)))


def usage_of(refusals: Refusals, body: bytes) -> TokenUsage | None:
    """The usage of a buffered completion. Raises UpstreamError for an error, UpstreamBroken for anything that is no
    completion.
    """
    usage = read(refusals, body).usage
    return usage.tokens() if usage else None


def read(refusals: Refusals, body: bytes) -> shapes.Answer:
    """A buffered completion. Raises likewise."""
    try:
        answer = shapes.decode(body)
    except msgspec.DecodeError:
        raise refusals.no_answer() from None
    if answer.error is not None:
        raise refusals.inside(answer.error)
    if not answer.choices:
        raise UpstreamBroken(f"{refusals.provider} answered without a choice.")
    if answer.gave_up is not None:
        raise refusals.gave_up(answer.gave_up)
    return answer
