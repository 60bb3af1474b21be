"""The pass-through of an event stream: the provider's bytes go on as they are, while its usage, its failures and its
end are noticed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from gateway.core.errors import UpstreamError
from gateway.platform.providers.refusals import Refusals
from gateway.platform.providers.sse import EventSplitter, EventTooLarge
from gateway.platform.providers.types import TokenUsage


class EventFilter(ABC):
    """Feed it what arrives, send on what it returns, then raise its ``failure`` if there is one; ``end`` when it is
    over. ``spoke``: the model has said something; ``done``: nothing more counts.
    """

    def __init__(self, refusals: Refusals) -> None:
        self.spoke = self.done = False
        self.failure: UpstreamError | None = None
        self._refusals, self._splitter = refusals, EventSplitter()

    @property
    @abstractmethod
    def usage(self) -> TokenUsage | None:
        """The provider's counts, as far as they are known by now."""

    @abstractmethod
    def _passed(self, event: bytes) -> bytes:
        """What goes on of one event. Raises UpstreamError for one that is a failure."""

    def feed(self, data: bytes) -> bytes:
        """The complete events to send on. One that is a failure ends them and becomes ``failure``."""
        passed: list[bytes] = []
        try:
            for event in self._splitter.feed(data):
                passed += [] if self.done else [self._passed(event)]
        except EventTooLarge:
            self.failure = self._refusals.no_answer()
        except UpstreamError as error:
            self.failure = error
        return b"".join(passed)

    def end(self) -> bytes:
        """What is still to be sent. Raises UpstreamError when the stream failed or broke off."""
        rest = self._splitter.rest()
        last = self.feed(rest + b"\n\n") if rest.strip() else b""
        if self.failure is not None:
            raise self.failure
        if not self.done:
            raise self._refusals.broke_off()
        return last
