"""A configured provider, and the way from a model's name to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from gateway.core.errors import Forbidden, Unavailable
from gateway.platform.providers import attempts, last_used
from gateway.platform.providers.attempts import Attempt
from gateway.platform.providers.catalogue import Catalogue
from gateway.platform.providers.health import Health
from gateway.platform.providers.types import Forwarded, ModelRequest, ModelStream, Provider, Shape
from tenants.types import OrgRef

T = TypeVar("T")
BUILT_IN, PLATFORM, ORGANIZATION = "built-in", "platform", "organization"


@dataclass(frozen=True, slots=True)
class Entry:
    """One provider as it is configured. ``credential`` says whose it is; ``price_as`` is the price list's name of it or
    its address; ``problem`` is why it cannot be used.
    """

    provider: Provider
    credential: str
    price_as: str
    provider_id: UUID | None = None
    problem: str | None = None
    catalogue: Catalogue = field(init=False, compare=False)
    health: Health = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "catalogue", Catalogue(self.provider))
        object.__setattr__(self, "health", Health())

    @property
    def usable(self) -> bool:
        return self.problem is None

    def check(self) -> None:
        """Raise Forbidden for a disabled provider, Unavailable for one whose credential cannot be read."""
        if self.problem == "disabled":
            raise Forbidden(f"The provider {self.provider.name!r} is disabled.", code="provider_disabled")
        if self.problem is not None:
            raise Unavailable(
                f"The credential of {self.provider.name!r} cannot be read here: {self.problem}",
                code="credential_unreadable",
            )


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt that was made by itself: how it ended, and when it began (monotonic)."""

    error: Exception
    since: float


@dataclass(frozen=True, slots=True)
class Route:
    """Where a model name leads. ``name`` is the full ``provider/model``, which policy, prices and ledger go by;
    ``model`` is the half that the provider gets; ``alias`` is the short name that was asked for, if it was one.
    """

    entry: Entry
    model: str
    name: str
    alias: str | None
    ref: OrgRef

    @property
    def provider(self) -> Provider:
        return self.entry.provider

    async def open(self, request: ModelRequest, made: list[Attempt], *, retries: int | None = None) -> ModelStream:
        """Ask the model, again while that may help; every attempt is noted in ``made``. See ``Provider.open``."""
        self.mark()
        return await attempts.persist(lambda: self.watched(lambda: self.provider.open(request)), made, retries=retries)

    async def forward(
        self,
        body: bytes,
        made: list[Attempt],
        *,
        stream: bool,
        shape: Shape = Shape.CHAT,
        retries: int | None = None,
        failed: Failed | None = None,
    ) -> Forwarded:
        """Pass a body through, likewise. See ``Provider.forward``. ``failed``: the first attempt was made already."""
        self.mark()

        async def start() -> Forwarded:
            if failed is not None and not made:
                raise failed.error
            return await self.provider.forward(body, model=self.model, stream=stream, shape=shape)

        since = failed.since if failed is not None else None
        return await attempts.persist(lambda: self.watched(start), made, retries=retries, since=since)

    def watched(self, start: Callable[[], Awaitable[T]]) -> Awaitable[T]:
        """One call whose outcome the provider's health remembers."""
        return self.entry.health.watch(self.model, start)

    def facts(self) -> dict[str, str]:
        """What the decision record says of it."""
        shown = {"provider": self.provider.name, "model": self.name, "credential": self.entry.credential}
        return shown | ({"alias": self.alias} if self.alias else {})

    def mark(self) -> None:
        """Note that the organization's credential was used."""
        if self.entry.provider_id is not None:
            last_used.mark(self.ref, self.entry.provider_id)
