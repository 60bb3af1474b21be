"""Buffered completions by one model, with all that they share prepared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gateway.core import egress
from gateway.platform.providers.types import TokenUsage
from gateway.platform.providers.wire import ERROR_BODY

if TYPE_CHECKING:
    from gateway.platform.providers.openai_wire.client import OpenAIWire


class DirectCompletions:
    """See ``types.Direct``. For the event loop that it is made in."""

    def __init__(self, wire: OpenAIWire, post: egress.Post, model: str) -> None:
        self._wire, self._post, self._model = wire, post, model
        self._named = msgspec.json.encode(model)
        self._pool = egress.current_pool()

    async def whole(self, body: bytes) -> tuple[bytes, TokenUsage | None]:
        """See ``types.Direct``."""
        sent = self._wire.spliced(body, self._model, self._named)
        return self.taken(*await self._post.whole(sent, most_of_error=ERROR_BODY))

    def warm(self) -> bool:
        """See ``types.Direct``."""
        return self._post.warm(self._pool)

    def send(self, body: bytes, sender: egress.Sender) -> egress.Sent | None:
        """See ``types.Direct``."""
        sent = self._wire.spliced(body, self._model, self._named)
        return self._post.send(self._pool, sent, sender, most_of_error=ERROR_BODY)

    def taken(self, response: egress.Response, data: bytes) -> tuple[bytes, TokenUsage | None]:
        """See ``types.Direct``."""
        return self._wire.completion(response, self._model, data)
