"""What a provider lists, kept for some minutes and fetched in background: nobody waits for a slow list twice."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import structlog

from gateway.core import background
from gateway.core.errors import GatewayError
from gateway.platform.providers.types import ListedModel, Provider

log = structlog.get_logger(__name__)
_KEEP_S, _RETRY_S = 300.0, 30.0


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One line of ``/v1/models``. ``pattern``: the name stands for every model of that provider (``openai/*``)."""

    id: str
    provider: str
    pattern: bool = False
    name: str = ""
    created: int = 0
    alias_of: str | None = None


class Catalogue:
    """One provider's list. It belongs to the provider's own entry, so no other organization can ever see it."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._known: tuple[ListedModel, ...] | None = None
        self._until = 0.0
        self._fetching: asyncio.Task[None] | None = None

    def refresh(self) -> None:
        """Begin to fetch the list when it is old or unknown; what is known stays until then."""
        task = self._fetching
        busy = task is not None and not task.done() and not task.get_loop().is_closed()
        if time.monotonic() >= self._until and not busy:
            self._until = time.monotonic() + _RETRY_S
            self._fetching = background.start(self._fetch(), name="list-models")

    async def wait(self, patience_s: float) -> float:
        """Wait for a list that was never seen, at most so long; returns what is left of the patience."""
        fetching = self._fetching
        if self._known is not None or fetching is None or fetching.done() or patience_s <= 0:
            return patience_s
        began = time.monotonic()
        await asyncio.wait({fetching}, timeout=patience_s)
        return patience_s - (time.monotonic() - began)

    async def _fetch(self) -> None:
        try:
            found = await self._provider.models()
        except GatewayError as error:
            # Many servers have no list; the pattern says all there is to say.
            log.info("models.not_listed", provider=self._provider.name, code=error.code)
            return
        self._known, self._until = found, time.monotonic() + _KEEP_S

    def models(self) -> list[ModelInfo]:
        """The list, or the pattern that stands for it."""
        name = self._provider.name
        if not self._known:
            return [ModelInfo(f"{name}/*", name, pattern=True, name=f"{name}/*")]
        return [ModelInfo(f"{name}/{one.id}", name, name=one.name, created=one.created) for one in self._known]

    def lacks(self, model: str) -> bool:
        """Whether the list is known and neither names the model nor a dated version of it."""
        if not self._known:
            return False
        return not any(one.id == model or one.id.startswith(f"{model}-") for one in self._known)
