"""What the organization keeps of its providers: frozen values, never rows. The credential is sealed in all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from gateway.core import ids


class Kind(StrEnum):
    """Which wire a provider speaks."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


class State(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"


DEFAULT_URLS = {Kind.OPENAI: "https://api.openai.com/v1", Kind.ANTHROPIC: "https://api.anthropic.com"}


@dataclass(frozen=True, slots=True)
class StoredProvider:
    """One provider of an organization. ``timeouts``: ``first_token_s``, ``stall_s``, ``total_s`` where they differ from
    the installation's.
    """

    id: UUID
    name: str
    kind: Kind
    base_url: str
    last4: str
    timeouts: tuple[tuple[str, float], ...]
    state: State
    created_at: datetime
    rotated_at: datetime | None
    last_used_at: datetime | None = field(compare=False)
    ciphertext: bytes = field(repr=False)
    kid: str = field(repr=False)

    @property
    def public_id(self) -> str:
        return ids.public("prv", self.id)


class Strategy(StrEnum):
    """In which order a route's targets are tried: as written, or the first one drawn by weight."""

    ORDERED = "ordered"
    WEIGHTED = "weighted"


@dataclass(frozen=True, slots=True)
class Target:
    """One model of a route, by its full name. ``weight`` counts where the strategy is weighted."""

    model: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """What an alias stands for: targets, then fallbacks, all of them full names, so that no alias leads to another.

    ``cache_s`` opts in to the exact response cache; ``timeouts`` (``first_token_s`` for streams, ``total_s`` for
    buffered answers) are how long one target may take before the next is asked.
    """

    targets: tuple[Target, ...]
    strategy: Strategy = Strategy.ORDERED
    fallbacks: tuple[str, ...] = ()
    cache_s: int | None = None
    timeouts: tuple[tuple[str, float], ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """Every full name in it, in the order written."""
        return (*(target.model for target in self.targets), *self.fallbacks)

    @classmethod
    def to(cls, model: str) -> RouteSpec:
        """The route that is one model."""
        return cls((Target(model),))

    @classmethod
    def read(cls, value: str | Mapping[str, Any]) -> RouteSpec:
        """From a model's name, or from the document that ``stored`` writes and ``IKIRO_MODEL_ALIASES`` takes. Raises
        KeyError, TypeError or ValueError for anything else."""
        if isinstance(value, str):
            return cls.to(value)
        targets = tuple(Target(str(one["model"]), int(one.get("weight", 1))) for one in value["targets"])
        if not targets:
            raise ValueError("a route has at least one target")
        timeouts = value.get("timeouts") or {}
        return cls(
            targets,
            Strategy(value.get("strategy", Strategy.ORDERED)),
            tuple(str(model) for model in value.get("fallbacks") or ()),
            value.get("cache_s"),
            tuple(sorted((str(name), float(seconds)) for name, seconds in timeouts.items())),
        )

    def stored(self) -> dict[str, Any]:
        """As the JSON column holds it."""
        return {
            "targets": [{"model": one.model, "weight": one.weight} for one in self.targets],
            "strategy": self.strategy.value,
            "fallbacks": list(self.fallbacks),
            "cache_s": self.cache_s,
            "timeouts": dict(self.timeouts),
        }


@dataclass(frozen=True, slots=True)
class Alias:
    """A short name and what it stands for; ``model`` is its first target."""

    alias: str
    model: str
    updated_at: datetime
    route: RouteSpec
