"""From a name to a plan: what it stands for, less what the caller may not have, in the order in which to ask."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from gateway.core.errors import GatewayError
from gateway.engine.routing import policies, tiers
from gateway.engine.routing.errors import ModelNotAllowed, ProviderCooling
from gateway.engine.routing.types import LeftOut, Plan
from gateway.governance.policies.types import EffectivePolicy
from gateway.platform.providers import registry
from gateway.platform.providers.entries import Route
from gateway.platform.providers.registry import Configuration
from gateway.platform.providers.stored import RouteSpec, Strategy, Target
from tenants.types import Organization, Principal

# A shorter pause than this is waited for by the retries; a call is not turned away for it.
_WORTH_REFUSING_S = 5.0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the name stands for, before anybody asks whether the caller may have it."""

    models: tuple[str, ...]
    alias: str | None = None
    spec: RouteSpec | None = None
    why: str | None = None


async def plan(
    organization: Organization,
    name: str,
    *,
    principal: Principal,
    request_id: UUID | None = None,
    needs: frozenset[str] = frozenset(),
    policy: EffectivePolicy | None = None,
) -> Plan:
    """The targets for ``name`` that this caller may have. No I/O while the organization's snapshots are warm.

    ``request_id`` draws the weighted choice, always the same one for the same request; ``needs`` (``tiers.needs_of``)
    narrows ``auto``; ``policy`` stands for the one in force, to see where the call would go under it. Raises
    ModelNotFound, ModelNotAllowed, Forbidden (``policy_refused``, ``provider_disabled``) or Unavailable, for the first
    target where none is left, and ProviderCooling where all that are left are paused.
    """
    look = registry.configuration(organization) if name in tiers.NAMES else registry.configured_for(organization, name)
    found, policy = await look, policy or (await policies.bound(principal)).policy
    wanted = _wanted(found, name, request_id, needs)
    kept: list[Route] = []
    left_out: list[LeftOut] = []
    refusals: list[GatewayError] = []
    for model in wanted.models:
        try:
            route = found.led(model, alias=wanted.alias, asked=name)
            _permit(route, name, principal, policy)
            kept.append(route)
        except GatewayError as error:
            refusals.append(error)
            left_out.append(LeftOut(model, error.code))
    if not kept:
        raise refusals[0]
    routes = _by_health(kept, left_out)
    spec = wanted.spec
    return Plan(
        name,
        routes,
        tuple(sorted(route.name for route in kept)),
        tuple(left_out),
        spec.strategy if spec is not None and len(spec.models) > 1 else None,
        spec.cache_s if spec is not None else None,
        dict(spec.timeouts) if spec is not None else {},
        wanted.why,
    )


def _wanted(found: Configuration, name: str, request_id: UUID | None, needs: frozenset[str]) -> _Wanted:
    spec = found.spec(name)
    if spec is not None:
        return _Wanted(_ordered(spec, request_id), name, spec)
    if name in tiers.NAMES:
        models, why = tiers.targets(name, found.entries, needs)
        return _Wanted(models, name, why=why)
    return _Wanted((name,))


def _ordered(spec: RouteSpec, request_id: UUID | None) -> tuple[str, ...]:
    if spec.strategy is not Strategy.WEIGHTED or request_id is None:
        return spec.models
    drawn = _draw(spec.targets, request_id)
    return tuple(dict.fromkeys((drawn, *spec.models)))


def _draw(targets: tuple[Target, ...], request_id: UUID) -> str:
    """The target that falls to this request: as often as its weight says over many, always the same for one."""
    share = int.from_bytes(hashlib.sha256(request_id.bytes).digest()[:8]) / 2**64
    mark = share * sum(target.weight for target in targets)
    for target in targets:
        mark -= target.weight
        if mark < 0:
            return target.model
    return targets[-1].model


def _permit(route: Route, asked: str, principal: Principal, policy: EffectivePolicy) -> None:
    if not principal.may_use_model(route.name, route.alias):
        allowed = list(principal.grant.models or ())
        told = ", ".join(allowed) or "none"
        raise ModelNotAllowed(
            f"This {principal.grant.kind} may not use the model {asked!r}. It may use: {told}.",
            extra={"param": "model", "allowed": allowed},
        )
    policy.check_model(route.name)
    route.entry.check()


def _by_health(kept: Iterable[Route], left_out: list[LeftOut]) -> tuple[Route, ...]:
    """The targets that answer first, those whose breaker is open after them; paused ones not at all. A lone target is
    asked even then, unless its provider wants a long pause."""
    ready: list[Route] = []
    doubtful: list[Route] = []
    paused: list[tuple[float, Route]] = []
    for route in kept:
        health = route.entry.health
        if (left := health.cooling(route.model)) > 0:
            paused.append((left, route))
        elif health.admits():
            ready.append(route)
        else:
            doubtful.append(route)
    routes = (*ready, *doubtful)
    if routes:
        left_out += [LeftOut(route.name, "provider_cooling_down") for _, route in paused]
        if ready:
            left_out += [LeftOut(route.name, "breaker_open") for route in doubtful]
        return routes
    left, route = min(paused, key=lambda one: one[0])
    if left > _WORTH_REFUSING_S:
        raise ProviderCooling(
            f"{route.provider.name} asked for a pause for {route.name}.",
            retry_after=left,
            extra={"provider": route.provider.name, "model": route.name},
        )
    return tuple(route for _, route in sorted(paused, key=lambda one: one[0]))
