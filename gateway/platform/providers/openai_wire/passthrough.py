"""The pass-through of a stream: the provider's bytes go on as they are, except for a usage chunk that the caller did
not ask for.

Frames are looked into only when their bytes contain a word that could matter, so an ordinary content chunk costs a
search and no parsing.
"""

from __future__ import annotations

import re

import msgspec

from gateway.core.egress import UpstreamBroken
from gateway.core.errors import UpstreamError
from gateway.platform.providers.openai_wire import refusals, shapes
from gateway.platform.providers.openai_wire.sse import EventSplitter, EventTooLarge, data_of
from gateway.platform.providers.types import TokenUsage

_LOOK_AT = (b'"usage"', b'"error"', b"event: error", b"event:error", b"[DONE]")
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"')


class StreamFilter:
    """Feed it what arrives, send on what it returns, then raise its ``failure`` if there is one; ``end`` when it is
    over.
    """

    def __init__(self, provider: str, *, show_usage: bool) -> None:
        self.usage: TokenUsage | None = None
        self.spoke = False
        self.failure: UpstreamError | None = None
        self._provider, self._show_usage = provider, show_usage
        self._splitter = EventSplitter()
        self._finished = self.done = False

    def feed(self, data: bytes) -> bytes:
        """The complete frames to send on. A frame that is an error, or no completion's, ends them and becomes
        ``failure``.
        """
        passed: list[bytes] = []
        try:
            for event in self._splitter.feed(data):
                passed += [event] if self._passes(event) else []
        except EventTooLarge:
            self.failure = refusals.not_json(self._provider)
        except UpstreamError as error:
            self.failure = error
        return b"".join(passed)

    def _passes(self, event: bytes) -> bool:
        if self.done:
            return False  # nothing counts after [DONE]
        if self.spoke and b'"choices"' in event and not any(word in event for word in _LOOK_AT):
            self._finished = self._finished or _FINISHED.search(event) is not None
            return True
        data = data_of(event)
        if data is None:
            return True
        if data.strip() == b"[DONE]":
            self.done = True
            return True
        return self._looked_into(data)

    def _looked_into(self, data: bytes) -> bool:
        try:
            answer = shapes.decode(data)
        except msgspec.DecodeError:
            raise refusals.not_json(self._provider) from None
        if answer.error is not None:
            raise refusals.stream_error(self._provider, answer.error)
        if answer.choices is None and answer.usage is None:
            raise refusals.not_json(self._provider)
        delta = answer.delta()
        self.spoke = self.spoke or delta.says_something()
        self._finished = self._finished or delta.finish_reason is not None
        if delta.usage is not None:
            self.usage = delta.usage
        return bool(answer.choices) or self._show_usage

    def end(self) -> bytes:
        """What is still to be sent. Raises UpstreamError when the stream failed or broke off."""
        rest = self._splitter.rest()
        last = self.feed(rest + b"\n\n") if rest.strip() else b""
        if self.failure is not None:
            raise self.failure
        if self.done:
            return last
        if not self._finished:
            raise refusals.broke_off(self._provider)
        return last + b"data: [DONE]\n\n"


def usage_of(provider: str, body: bytes) -> TokenUsage | None:
    """The usage of a buffered completion. Raises UpstreamError for an error, UpstreamBroken for anything that is no
    completion.
    """
    try:
        answer = shapes.decode(body)
    except msgspec.DecodeError:
        raise refusals.not_json(provider) from None
    if answer.error is not None:
        raise refusals.stream_error(provider, answer.error)
    if not answer.choices:
        raise UpstreamBroken(f"{provider} answered without a choice.")
    return answer.usage.tokens() if answer.usage else None
