"""What stops or changes when a provider is disabled or deleted: read before somebody does it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from gateway.core import clock
from gateway.platform.ledger import usage
from gateway.platform.ledger.usage import UsageQuery
from gateway.platform.providers import registry, selectors
from tenants import selectors as tenants
from tenants.context import current
from tenants.types import ApiKey

_PAGE, _MOST_KEYS, _MOST_MODELS = 200, 1_000, 100


@dataclass(frozen=True, slots=True)
class AliasHit:
    """An alias with a target there; ``dead`` when it has no other."""

    alias: str
    models: tuple[str, ...]
    dead: bool


@dataclass(frozen=True, slots=True)
class KeyHit:
    """A living key that is narrowed to models or aliases of the provider; ``dead`` when to nothing else."""

    id: str
    name: str
    models: tuple[str, ...]
    dead: bool


@dataclass(frozen=True, slots=True)
class ModelCalls:
    model: str
    calls: int


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """``calls`` are of the last 24 hours, in whole hours; ``platform_takes_over``: once it is deleted, the platform's
    provider of the same name answers."""

    aliases: tuple[AliasHit, ...]
    keys: tuple[KeyHit, ...]
    calls: tuple[ModelCalls, ...]
    platform_takes_over: bool


def blast_radius(provider_id: UUID) -> BlastRadius:
    """For a provider of the organization in scope. Raises ProviderNotFound."""
    name = selectors.provider(provider_id).name
    prefix = f"{name}/"
    aliases = tuple(
        AliasHit(one.alias, hit, len(hit) == len(one.route.models))
        for one in selectors.aliases()
        if (hit := tuple(model for model in one.route.models if model.startswith(prefix)))
    )
    dead = {one.alias for one in aliases if one.dead}
    keys = tuple(_hit(key, prefix, dead, {one.alias for one in aliases}) for key in _keys())
    return BlastRadius(
        aliases, tuple(key for key in keys if key is not None), _calls(name), name in registry.platform().entries
    )


def _hit(key: ApiKey, prefix: str, dead: set[str], touched: set[str]) -> KeyHit | None:
    allowed = key.models or ()
    hit = tuple(model for model in allowed if model.startswith(prefix) or model in touched)
    if not hit:
        return None
    gone = all(model.startswith(prefix) or model in dead for model in allowed)
    return KeyHit(key.public_id, key.name, hit, gone)


def _keys() -> Iterable[ApiKey]:
    """The keys that work now, newest first, so far as a page can show them."""
    now, after, seen = clock.now(), None, 0
    while seen < _MOST_KEYS:
        found = tenants.keys_page(current(), limit=_PAGE, after=after).data
        yield from (key for key in found if key.state_at(now) in ("active", "rotating"))
        seen += len(found)
        if len(found) < _PAGE:
            return
        after = found[-1].id


def _calls(name: str) -> tuple[ModelCalls, ...]:
    end = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    query = UsageQuery(end - timedelta(hours=24), end, ("model",), {"provider": name})
    found, _ = usage.groups(current().id, query, limit=_MOST_MODELS)
    return tuple(ModelCalls(str(group.key["model"]), group.sums.calls) for group in found if group.sums.calls)
